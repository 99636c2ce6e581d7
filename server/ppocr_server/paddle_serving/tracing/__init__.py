"""The statistics of config.yml's `dag.tracer`."""

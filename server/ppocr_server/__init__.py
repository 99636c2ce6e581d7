"""Start and watch tritonserver, with or without a container."""

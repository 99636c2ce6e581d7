"""Watch a running tritonserver and its processes, and restart it when it needs that."""

"""One tritonserver: found, started, asked, stopped."""

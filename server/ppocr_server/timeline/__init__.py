"""Triton's traces as a timeline for Chrome's tracing page and Perfetto."""

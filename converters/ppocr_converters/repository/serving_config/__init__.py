"""Paddle Serving's config.yml, read as it is, and what it becomes on Triton."""

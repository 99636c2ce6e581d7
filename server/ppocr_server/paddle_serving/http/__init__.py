"""Paddle Serving's HTTP protocol."""

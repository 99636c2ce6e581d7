"""Paddle OCR models to a Triton model repository, proven equal."""

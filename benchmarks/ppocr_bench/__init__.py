"""Benchmarks of the served pipeline."""

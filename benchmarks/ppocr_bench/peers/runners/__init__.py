"""Scripts that other Pythons run beside the benchmark: what reads pictures in its own way.

A script finds `child` beside itself and needs nothing else of the project.
"""

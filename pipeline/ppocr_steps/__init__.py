"""What the Python steps of a model repository share. It can be imported in Triton's stub only."""

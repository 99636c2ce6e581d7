"""A running tritonserver kept whole."""

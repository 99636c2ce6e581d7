"""Paddle's own formats: reading them, converting them to ONNX, fixes of what comes out."""

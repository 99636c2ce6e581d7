"""ONNX graphs: reading, checking, compiling for serving, lower precision."""

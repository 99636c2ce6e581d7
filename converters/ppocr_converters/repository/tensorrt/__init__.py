"""TensorRT: shapes, configurations, engines and the commands that build them."""

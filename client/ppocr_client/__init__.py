"""Client for PaddleOCR served by Triton."""

"""What clients of other OCR services send, and the answers that they expect."""

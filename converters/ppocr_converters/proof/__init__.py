"""The proof that a compiled model answers as its original does."""

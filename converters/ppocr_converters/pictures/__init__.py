"""Pictures drawn with known texts, for proofs and samples."""

"""The known models: where they are, their digests, how they are fetched."""

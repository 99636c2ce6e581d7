"""A model repository: what is planned, laid out and written."""

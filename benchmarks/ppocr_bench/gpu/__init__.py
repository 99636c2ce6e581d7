"""A bundle for a machine without a network, and what that machine's GPU does with it."""

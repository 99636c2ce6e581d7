"""What can go wrong between a config.pbtxt and a network that runs."""

from __future__ import annotations


class EngineError(ValueError):
    """A network cannot be run as asked; the message says what was got and what is allowed."""


class RepositoryError(EngineError):
    """A model repository, or a file in it, cannot be read or served as it is."""

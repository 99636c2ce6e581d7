"""What can go wrong in a benchmark."""

from __future__ import annotations


class BenchError(Exception):
    """A benchmark could not be run; the message says what is missing and what to do.

    Differences that a benchmark finds are its result, not an error.
    """

"""What every benchmark hands to the command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class Report(Protocol):
    """A result that people and machines can read."""

    @property
    def ok(self) -> bool:
        """Whether what was to be shown was shown; else the command ends with 1."""

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""

    def lines(self) -> list[str]:
        """The same for a terminal."""


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table: the first column aligned to the left, the others to the right."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    return [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in [head, *rows]
    ]

"""Where tritonserver's log goes, and what it holds so far."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

STDERR = "-"
TEMPORARY = "triton.log"


class TritonLog:
    """The log of one tritonserver after another."""

    def __init__(self, path: str | Path | int | None) -> None:
        """Describe a log; nothing is opened.

        Args:
            path: a file to append to, "-" for this process's standard error, a number for an open
                file descriptor, None for a temporary file.
        """
        self._path = path
        self._reader: IO[bytes] | None = None
        self._start = 0

    @contextmanager
    def opened(self, run_folder: Path) -> Iterator[int]:
        """A file descriptor for tritonserver to write to.

        The guard removes a temporary log as soon as tritonserver has ended. A reader is opened
        before that and stays usable, so that the reason for a failed start is never lost.

        Args:
            run_folder: where a temporary file is put.
        """
        self.close()
        if isinstance(self._path, int):
            yield self._path
        elif self._path == STDERR:
            yield sys.stderr.fileno()
        else:
            path = Path(self._path or run_folder / TEMPORARY)
            with path.open("ab") as writer:
                if path.is_file():  # a pipe or a terminal cannot be read again
                    self._reader = path.open("rb")
                    self._start = self._reader.seek(0, os.SEEK_END)
                yield writer.fileno()

    def text(self) -> str:
        """What was written since the last start; empty unless it goes to a file."""
        if self._reader is None:
            return ""
        self._reader.seek(self._start)
        return self._reader.read().decode("utf-8", errors="replace")

    def hint(self) -> str:
        """The end of an error message: where to find the log, if it is kept."""
        kept = self._reader is not None and self._path is not None
        return f"; its log is {Path(str(self._path)).absolute()}" if kept else ""

    def close(self) -> None:
        """Read no more."""
        if self._reader is not None:
            self._reader.close()
        self._reader = None

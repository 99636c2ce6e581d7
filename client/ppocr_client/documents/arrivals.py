"""Which files of a watched folder are complete, were read, or failed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from ppocr_client.documents.inputs import Document


class FileState(NamedTuple):
    """What changes when a file is written to or replaced."""

    size: int
    modified_ns: int
    inode: int


def file_state(document: Document) -> FileState | None:
    """A file's state now; None if it is gone."""
    try:
        found = Path(document.source).stat()
    except OSError:
        return None
    return FileState(found.st_size, found.st_mtime_ns, found.st_ino)


class Arrivals:
    """The documents of a folder as of the last update.

    Attributes:
        read: How many were read.
    """

    def __init__(self, settle: float, was_read: Callable[[Document], bool]) -> None:
        """A file is complete after `settle` seconds without change, unless it `was_read` before."""
        self._settle, self._was_read, self.read = settle, was_read, 0
        # Its state with the time at which it was first seen so, and with why it failed.
        self._seen: dict[Document, tuple[FileState, float]] = {}
        self._finished: dict[Document, tuple[FileState, str | None]] = {}

    def update(self, found: Mapping[Document, FileState], now: float) -> None:
        """Note the folder's files at `now`."""
        before, self._seen = self._seen, {}
        for document, state in found.items():
            if document not in before and self._was_read(document):
                self._finished[document] = state, None
            known, since = before.get(document, (None, now))
            self._seen[document] = state, since if known == state else now
        for gone in self._finished.keys() - found.keys():
            del self._finished[gone]

    @property
    def waiting(self) -> dict[Document, FileState]:
        """What is to be read, complete or not."""
        done = {document: state for document, (state, _) in self._finished.items()}
        return {d: state for d, (state, _) in self._seen.items() if done.get(d) != state}

    @property
    def failures(self) -> dict[Document, str]:
        """Why documents failed that have not changed since."""
        failed = self._finished.keys() - self.waiting.keys()
        return {d: reason for d, (_, reason) in self._finished.items() if reason and d in failed}

    def complete(self, now: float) -> dict[Document, FileState]:
        """What is to be read and complete."""
        settled = now - self._settle
        return {d: state for d, state in self.waiting.items() if self._seen[d][1] <= settled}

    def finish(self, document: Document, state: FileState, error: str | None) -> None:
        """A document in this state was read, or failed; it is left alone until it changes."""
        self._finished[document] = state, error
        self.read += error is None

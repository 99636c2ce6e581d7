"""Which files of a watched folder are complete, were read, or failed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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


@dataclass
class ArrivalTracker:
    """The documents of a folder as of the last update.

    Attributes:
        settle: Seconds for which a file must not change to count as complete.
        since: Each document's state, and the time at which it was first seen so.
        finished: The state in which a document was read, or failed.
        failures: Why it failed.
        read: How many were read.
    """

    settle: float
    since: dict[Document, tuple[FileState, float]] = field(default_factory=dict)
    finished: dict[Document, FileState] = field(default_factory=dict)
    failures: dict[Document, str] = field(default_factory=dict)
    read: int = 0

    def update(
        self,
        found: Mapping[Document, FileState],
        was_read: Callable[[Document], bool],
        now: float,
    ) -> None:
        """Note the folder's files at `now`; `was_read`: whether an earlier run read one."""
        for document, state in found.items():
            if document not in self.since and was_read(document):
                self.finished[document] = state
        before, self.since = self.since, {}
        for document, state in found.items():
            known, since = before.get(document, (None, now))
            self.since[document] = state, since if known == state else now
        for finished in (self.finished, self.failures):
            for gone in finished.keys() - found.keys():
                del finished[gone]

    def waiting(self) -> dict[Document, FileState]:
        """What is to be read, complete or not."""
        return {
            document: state
            for document, (state, _) in self.since.items()
            if self.finished.get(document) != state
        }

    def complete(self, now: float) -> dict[Document, FileState]:
        """What is to be read and complete."""
        return {
            document: state
            for document, state in self.waiting().items()
            if now - self.since[document][1] >= self.settle
        }

    def finish(self, document: Document, state: FileState, error: str | None) -> None:
        """A document in this state was read, or failed; it is left alone until it changes."""
        self.finished[document] = state
        self.failures.pop(document, None)
        if error is None:
            self.read += 1
        else:
            self.failures[document] = error

"""What arrives in a folder, when it has come to rest, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ppocr_client.documents.documents import Document


class State(NamedTuple):
    """What is another when a file was written to or replaced."""

    size: int
    modified_ns: int
    inode: int


def state_of(document: Document) -> State | None:
    """A file's state now; None if it is gone."""
    try:
        found = Path(document.source).stat()
    except OSError:
        return None
    return State(found.st_size, found.st_mtime_ns, found.st_ino)


@dataclass
class Arrivals:
    """The documents of a folder, as they were when it was last looked at.

    Attributes:
        settle: Seconds for which a file must stay as it is to count as complete.
        since: Each document's state, and the time at which it was first seen so.
        finished: The state in which a document was read, or failed.
        failures: Why it failed.
        read: How many were read.
    """

    settle: float
    since: dict[Document, tuple[State, float]] = field(default_factory=dict)
    finished: dict[Document, State] = field(default_factory=dict)
    failures: dict[Document, str] = field(default_factory=dict)
    read: int = 0

    def look(
        self, found: Mapping[Document, State], is_done: Callable[[Document], bool], now: float
    ) -> None:
        """Take note of what is there; what is new may have been read by an earlier run."""
        for document, state in found.items():
            if document not in self.since and is_done(document):
                self.finished[document] = state
        self.since = {
            document: (state, now if before is None or before[0] != state else before[1])
            for document, state in found.items()
            for before in [self.since.get(document)]
        }
        for known in (self.finished, self.failures):
            for gone in known.keys() - found.keys():
                del known[gone]

    def waiting(self) -> dict[Document, State]:
        """What is to be read, now or when it is complete."""
        return {
            document: state
            for document, (state, _) in self.since.items()
            if self.finished.get(document) != state
        }

    def ready(self, now: float) -> dict[Document, State]:
        """What is to be read and complete."""
        return {
            document: state
            for document, state in self.waiting().items()
            if now - self.since[document][1] >= self.settle
        }

    def finish(self, document: Document, state: State, error: str | None) -> None:
        """A document was read in this state, or cannot be; it is left alone until it changes."""
        self.finished[document] = state
        self.failures.pop(document, None)
        if error is None:
            self.read += 1
        else:
            self.failures[document] = error

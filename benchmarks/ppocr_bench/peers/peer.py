"""What a peer is: something that reads pictures, and how it is started."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple


class Running(NamedTuple):
    """A peer that can be asked.

    `ask` gives the lines of a picture (`text`, `score`, `box`), for several threads at the same
    time; a peer that only runs networks reads none. `pids` are of the processes whose memory, with
    that of all they started, is the peer's. `versions` are of what it reads with.
    """

    ask: Callable[[Path], Sequence[Any]]
    pids: Sequence[int]
    versions: dict[str, str]


class Peer(NamedTuple):
    """One way to read pictures.

    `setting` says what it was set to. `start` starts it, and stops it on leaving. `ours` is the
    label of the repository that it serves.
    """

    name: str
    setting: str
    start: Callable[[], contextlib.AbstractContextManager[Running]]
    ours: str | None = None

"""What a peer is: something that reads pictures, and how it is started."""

from __future__ import annotations

import argparse
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


#: Starts a peer with the options of the verb `peers` and what its `prepare` adds to them, and stops
#: it on leaving.
Start = Callable[[argparse.Namespace], contextlib.AbstractContextManager[Running]]


class Peer(NamedTuple):
    """One way to read pictures.

    `setting` says what it was set to. `clients` says how many ask when so many are wanted; 0 for
    none: it is left out then. `ours` is the label of the repository that it serves or is the bound
    of. One that `reads` answers with what it read.
    """

    name: str
    setting: str
    start: Start
    clients: Callable[[int], int] = int
    ours: str | None = None
    reads: bool = True

"""What a peer is: something that reads pictures, and how it is started."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from ppocr_bench.record import Line


class Materials(NamedTuple):
    """What peers are started with.

    `pictures` are files that every peer decodes to the same pixels; models are Paddle folders, and
    the ONNX files the same networks as Paddle2ONNX wrote them, with nothing changed; `rec_height`
    is in pixels; `scratch` is an empty folder, in `environments` environments are made.
    """

    pictures: Sequence[Path]
    det_model: Path
    rec_model: Path
    det_onnx: Path
    rec_onnx: Path
    dictionary: Path
    rec_height: int
    environments: Path
    scratch: Path


class Running(NamedTuple):
    """A peer that can be asked.

    `ask` reads the picture of that number, for several threads at the same time; a peer that only
    runs networks reads no line. `pids` are of the processes whose memory, with that of all they
    started, is the peer's. `versions` are of what it reads with.
    """

    ask: Callable[[int], Sequence[Line]]
    pids: Sequence[int]
    versions: dict[str, str]


Start = Callable[[Materials], contextlib.AbstractContextManager[Running]]


class Peer(NamedTuple):
    """One way to read pictures.

    Attributes:
        name: as it is shown.
        setting: what it was set to, in words.
        start: starts it, and stops it on leaving.
        clients: how many ask when so many are wanted; 0 for none: it is left out then.
        ours: the label of the repository that it serves or is the bound of; None for the others.
        reads: whether it answers with what it read.
    """

    name: str
    setting: str
    start: Start
    clients: Callable[[int], int] = int
    ours: str | None = None
    reads: bool = True

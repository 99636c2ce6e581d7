"""Every reader reads every picture, one reader after the other; what was read can be kept."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from ppocr_bench.accuracy.metrics import Read
from ppocr_bench.errors import BenchError
from ppocr_bench.peers.children import Peer
from ppocr_bench.processes import cpu_used
from ppocr_converters.pictures.render_canvas import Truth


class Reading(NamedTuple):
    """The lines that a reader found on a picture, and the processor time that it took."""

    lines: Sequence[Read]
    cpu_seconds: float


class Kept:
    """The readings in a file of one JSON object a line, which a later run goes on from."""

    def __init__(self, path: Path | None) -> None:
        """Read what is there; BenchError for a file that this has not written."""
        self._path = path
        self._found: dict[tuple[str, str], Reading] = {}
        try:
            for text in path.read_text("utf-8").splitlines() if path and path.is_file() else ():
                row = json.loads(text)
                lines = [_line(*line) for line in row["lines"]]
                self._found[row["reader"], row["picture"]] = Reading(lines, row["cpu_seconds"])
        except (KeyError, TypeError, ValueError) as error:
            raise BenchError(f"{path} was not written by --resume: {error!r}") from error

    def get(self, reader: str, picture: str) -> Reading | None:
        """What a reader found on a picture, None where it was not asked yet."""
        return self._found.get((reader, picture))

    def add(self, reader: str, picture: str, reading: Reading) -> None:
        """Keep one more."""
        self._found[reader, picture] = reading
        if self._path is None:
            return
        lines = [
            (line.text, _plain(line.box), [(one.text, _plain(one.box)) for one in _words(line)])
            for line in reading.lines
        ]
        row = {"reader": reader, "picture": picture, "cpu_seconds": reading.cpu_seconds}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**row, "lines": lines}, ensure_ascii=False) + "\n")


def read_all(
    peers: Sequence[Peer], files: Mapping[str, Path], kept: Kept
) -> tuple[dict[str, dict[str, Reading]], list[str]]:
    """Start one reader after the other, and let it read what it has not read yet.

    Args:
        peers: the readers.
        files: the pictures by name.
        kept: what was read before, and now.

    Returns:
        By reader and picture what was read, and notes on readers that failed.
    """
    notes = []
    for peer in peers:
        missing = [name for name in files if kept.get(peer.name, name) is None]
        try:
            with peer.start() as running:
                for name in tqdm(missing, peer.name, unit="picture", disable=None):
                    before = cpu_used(running.pids)
                    lines = running.ask(files[name])
                    kept.add(peer.name, name, Reading(lines, cpu_used(running.pids) - before))
        except BenchError as error:
            if peer.ours is not None:
                raise
            notes.append(f"{peer.name} is left out: {error}")
    found = {peer.name: {name: kept.get(peer.name, name) for name in files} for peer in peers}
    whole = {name: read for name, read in found.items() if all(read.values())}
    return {name: {k: v for k, v in read.items() if v} for name, read in whole.items()}, notes


def _words(line: Read) -> Sequence[Any]:
    return getattr(line, "words", ()) or ()


def _plain(box: np.ndarray) -> list[list[float]]:
    return [[round(float(x), 2), round(float(y), 2)] for x, y in box]


def _line(text: str, box: Any, words: Any = ()) -> Truth:
    return Truth(text, np.array(box, np.float32), tuple(_line(*word) for word in words))

"""Every reader reads every picture, one reader after the other; what was read can be kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from ppocr_bench.accuracy.metrics import Read
from ppocr_bench.errors import BenchError
from ppocr_bench.peers.children import Peer
from ppocr_bench.processes import cpu_used
from ppocr_bench.record import JsonLines
from ppocr_converters.pictures.render_canvas import Truth

KEYS = ("reader", "picture", "cpu_seconds", "lines")


class Reading(NamedTuple):
    """The lines that a reader found on a picture, and the processor time that it took."""

    lines: Sequence[Read]
    cpu_seconds: float


def read_all(
    peers: Sequence[Peer], files: Mapping[str, Path], resume: Path | None = None
) -> tuple[dict[str, dict[str, Reading]], list[str]]:
    """Start one reader after the other, and let it read what it has not read yet.

    Args:
        peers: the readers.
        files: the pictures by name.
        resume: where what is read is kept, and was kept by an earlier run.

    Returns:
        By reader and picture what was read, and notes on readers that failed.

    Raises:
        BenchError: the file holds something else, or a reader of ours fails.
    """
    kept, notes = JsonLines(resume, KEYS), list[str]()
    for peer in peers:
        done = {row["picture"] for row in kept.rows if row["reader"] == peer.name}
        missing = [name for name in files if name not in done]
        if not missing:
            continue
        try:
            with peer.start() as running:
                for name in tqdm(missing, peer.name, unit="picture", disable=None):
                    before = cpu_used(running.pids)
                    lines = [_row(line) for line in running.ask(files[name])]
                    used = cpu_used(running.pids) - before
                    kept.add(dict(zip(KEYS, (peer.name, name, used, lines), strict=True)))
        except BenchError as error:
            if peer.ours is not None:
                raise
            notes.append(f"{peer.name} is left out: {error}")
    found: dict[str, dict[str, Reading]] = {peer.name: {} for peer in peers}
    for reader, picture, used, lines in (row.values() for row in kept.rows):
        if reader in found and picture in files:
            found[reader][picture] = Reading([_line(*line) for line in lines], used)
    return {name: read for name, read in found.items() if len(read) == len(files)}, notes


def _row(line: Read) -> tuple[Any, ...]:
    words = [_row(word)[:2] for word in getattr(line, "words", ()) or ()]
    return line.text, [[round(float(x), 2), round(float(y), 2)] for x, y in line.box], words


def _line(text: str, box: Any, words: Any = ()) -> Truth:
    return Truth(text, np.array(box, np.float32), tuple(_line(*word) for word in words))

"""What readers read on pictures, and how well it agrees with what is known to be on them."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from tqdm import tqdm

from ppocr_bench.machine import cpu_used
from ppocr_bench.peers.children import Peer
from ppocr_bench.record import BenchError, JsonLines
from ppocr_converters.pictures.render_canvas import Truth
from ppocr_converters.proof.lines import box_overlap, pair_lines
from ppocr_pipeline.pipeline import Line

INSIDE = 0.5  # share of a found box from which it lies on a true line


#: A line with `text` and `box`, float32 [4, 2], pixels, clockwise from top-left; `words`, where it
#: has any, have the same.
Read = Any
KEYS = ("reader", "picture", "cpu_seconds", "lines")


def compare(truth: Sequence[Read], lines: Sequence[Read]) -> Counter[str]:
    """Compare what was read on one picture with what is there; the counts of pictures add up.

    A line that was found in pieces is read as the pieces in order, so that the texts are judged
    as texts and the boxes as boxes.

    Returns:
        `truth_boxes`, `found_boxes`, `matched_boxes` (pairs at IoU >= 0.5) and `matched_texts` (of
        these, pairs whose texts are equal when folded); of the texts
        `characters` that are there, `errors` (edits to those read, with every text read
        elsewhere) and `exact` lines. `folded_` ones are without spaces and with full-width forms
        taken as the plain ones.
    """
    read, elsewhere = assign(truth, lines)
    pairs = [*zip((one.text for one in truth), read, strict=True), *(("", t) for t in elsewhere)]
    boxes = [[Line("", 0.0, one.box, 0.0) for one in those] for those in (truth, lines)]
    matched = pair_lines(*boxes)
    counts = Counter(truth_boxes=len(truth), found_boxes=len(lines), matched_boxes=len(matched))
    counts["matched_texts"] = sum(fold(truth[i].text) == fold(lines[j].text) for i, j in matched)
    for kind, change in (("", str), ("folded_", fold)):
        changed = [(change(expected), change(found)) for expected, found in pairs]
        counts[f"{kind}characters"] = sum(len(expected) for expected, _ in changed)
        counts[f"{kind}errors"] = sum(edit_distance(*pair) for pair in changed)
        counts[f"{kind}exact"] = sum(a == b for a, b in changed[: len(truth)])
    return counts


def percent(counts: Counter[str]) -> dict[str, float]:
    """Precision, recall and hmean of the boxes, and the rates of errors and exact lines.

    `end_to_end` is the hmean of boxes whose text is right too.
    """
    there, found = counts["truth_boxes"], counts["found_boxes"]
    rates = {
        "precision": counts["matched_boxes"] / max(1, found),
        "recall": counts["matched_boxes"] / max(1, there),
        "hmean": 2 * counts["matched_boxes"] / max(1, there + found),
        "end_to_end": 2 * counts["matched_texts"] / max(1, there + found),
    }
    for kind in ("", "folded_"):
        rates[f"{kind}cer"] = counts[f"{kind}errors"] / max(1, counts[f"{kind}characters"])
        rates[f"{kind}exact"] = counts[f"{kind}exact"] / max(1, counts["truth_boxes"])
    return {f"{name}_percent": 100 * rate for name, rate in rates.items()}


def fold(text: str) -> str:
    """Text without spaces, full-width letters and punctuation as the plain ones (NFKC)."""
    return "".join(unicodedata.normalize("NFKC", text).split())


def order_error(truth: np.ndarray, found: np.ndarray) -> float:
    """The share of pairs of found boxes that are in the wrong order, 0 to 1.

    Args:
        truth: float32 [N, 4, 2], pixels, in the order in which a person reads.
        found: float32 [M, 4, 2]; a box belongs to the true one in which its middle lies.
    """
    middles = [tuple(map(float, box.mean(axis=0))) for box in found]
    inside = [
        [cv2.pointPolygonTest(box, middle, False) >= 0 for box in truth] for middle in middles
    ]
    places = np.array([row.index(True) for row in inside if any(row)])
    first, second = np.triu_indices(len(places), 1)
    differ = places[first] != places[second]
    return float(np.mean(places[first] > places[second], where=differ)) if differ.any() else 0.0


def word_overlap(truth: Sequence[Read], lines: Sequence[Read]) -> float | None:
    """The mean IoU of the true words with the words found, 0 for one that was not found.

    None where there are no words on the picture, or the reader tells none.
    """
    there = [word.box for line in truth for word in line.words]
    found = [word.box for line in lines for word in getattr(line, "words", ())]
    if not there or not found:
        return None
    middles = np.array([box.mean(axis=0) for box in found])
    shares = []
    for box in there:
        low, high = box.min(axis=0), box.max(axis=0)
        near = ((middles > 2 * low - high) & (middles < 2 * high - low)).all(axis=1)
        shares.append(max((box_overlap(box, found[i]) for i in np.flatnonzero(near)), default=0.0))
    return float(np.mean(shares))


def edit_distance(a: str, b: str) -> int:
    """Insertions, deletions and substitutions from one text to the other (Levenshtein)."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (x != y))
    return row[-1]


def assign(truth: Sequence[Read], lines: Sequence[Read]) -> tuple[list[str], list[str]]:
    """The text read on each true line, and the texts that lie on none."""
    pieces: list[list[tuple[float, str]]] = [[] for _ in truth]
    elsewhere = []
    for line in lines:
        found = np.float32(line.box)
        shared = [cv2.intersectConvexConvex(np.float32(one.box), found)[0] for one in truth]
        row = int(np.argmax(shared)) if shared else 0
        if not shared or shared[row] < INSIDE * cv2.contourArea(found):
            elsewhere.append(line.text)
            continue
        box = truth[row].box
        along = max(box[1] - box[0], box[3] - box[0], key=lambda side: float(np.hypot(*side)))
        pieces[row].append((float(found.mean(axis=0) @ along), line.text))
    return ["".join(text for _, text in sorted(line)) for line in pieces], elsewhere


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

"""Boxes, texts, order and words against what is known to be on the pictures, ours beside others'.

The pictures are rendered: ten languages, noise, skew, columns, turned pages and more. Each reader
reads with its own defaults.
"""

from __future__ import annotations

import argparse
import contextlib
import operator
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ppocr_bench.options import one_of
from ppocr_bench.peers.children import Peer
from ppocr_bench.peers.table import OURS, PEERS, PLACES, asking, other, weights_of
from ppocr_bench.pictures import Picture, evaluation, layouts, read_labels, rendered
from ppocr_bench.record import Result, Table
from ppocr_bench.scoring import (
    Reading,
    assign,
    compare,
    order_error,
    percent,
    read_all,
    word_overlap,
)
from ppocr_bench.target import TARGET, serving
from ppocr_client.commands.argument_types import at_least
from ppocr_converters.pictures.render_evaluation import KINDS

USUAL = [OURS, "rapidocr", "faster_paddle"]
READERS = [OURS, *(name for name in PEERS if name != "bound")]
LAYOUTS = "further pages of each layout (columns, receipt, table, …), straight, skewed and so on"
WITH = "ours once more, with these options of the request: NAME=VALUE,…"
OPTIONS = {
    **TARGET,
    "--readers": (
        [one_of(READERS)],
        None,
        f"of {', '.join(READERS)} (default: {', '.join(USUAL)})",
    ),
    "--with-options": ([str], [], WITH, "OPTIONS"),
    "--kinds": ([one_of(list(KINDS))], None, f"of pictures (default: {', '.join(KINDS)})", "KIND"),
    "--limit": (at_least(1), None, "pictures of a kind, at most", "N"),
    "--seed": (int, 0, "of the rendered pictures"),
    "--pages": (at_least(0), 0, "pages of mixed languages in place of the kinds", "N"),
    "--labelled": ([Path], [], "folders of further pictures with truth.json, each a kind", "DIR"),
    "--layouts": (at_least(0), 0, LAYOUTS, "N"),
    "--resume": (Path, None, "keeps what was read, and goes on from it", "FILE"),
    **PLACES,
}
KEYS = ("end_to_end", "hmean", "exact", "folded_exact", "cer", "order_error", "word_iou")
FIGURES = [*(f"{key}_percent" for key in KEYS), "cpu_seconds"]
#: Shown for each kind and each language.
SHOWN = ("end_to_end_percent", "exact_percent", "order_error_percent")


def run(args: argparse.Namespace) -> Result:
    """Read every picture with every reader."""
    pictures = (
        rendered(1000 + args.seed, args.pages)
        if args.pages
        else evaluation(args.kinds, args.limit, args.seed)
    )
    for folder in args.labelled:
        pictures += [one._replace(kind=folder.name) for one in read_labels(folder)]
    pictures += layouts(args.layouts)
    with contextlib.ExitStack() as opened:
        scratch = opened.enter_context(tempfile.TemporaryDirectory(prefix="ppocr-bench-"))
        files = {one.name: Path(scratch, one.name) for one in pictures}
        for one in pictures:
            files[one.name].write_bytes(one.data)
        read, notes = read_all(list(readers(args, opened)), files, args.resume)
    rows = figures(pictures, read, lambda _: "all")
    tables = {"readers": Table(rows, ["reader", *FIGURES])}
    for name in ("kind", "language"):
        rows = figures(pictures, read, operator.attrgetter(name))
        tables |= {f"{key}_by_{name}": pivot(rows, name, key, list(read)) for key in SHOWN}
    tables |= {"misses": Table(misses(pictures, read), [])}
    lines = sum(len(one.truth or ()) for one in pictures)
    return Result(
        f"{len(pictures)} pictures, {lines} lines. end to end: hmean of boxes (IoU 0.5) whose text "
        "is right without spaces and with full-width forms as plain ones; exact: to the letter and "
        "space; order error: pairs of lines in the wrong order; cpu seconds: a picture",
        settings={"pictures": len(pictures), "lines": lines},
        tables=tables,
        notes=notes,
    )


def readers(args: argparse.Namespace, opened: contextlib.ExitStack) -> Iterator[Peer]:
    """Who reads; one server is started for all rows of ours when the first of them is."""
    wanted = args.readers or USUAL
    if OURS in wanted:
        found = opened.enter_context(serving(args))
        pids = [] if found.pid is None else [found.pid]
        for text in ("", *args.with_options):
            pairs = [pair.partition("=") for pair in text.split(",") if pair]
            options = {"return_words": True} | {name: value for name, _, value in pairs}
            start = partial(asking, found.urls[0], options, pids)
            yield Peer(" ".join(filter(None, [OURS, text])), "as built", start, ours=OURS)
    for name in wanted:
        if name != OURS:
            weights = weights_of(args.repository, args.onnx)
            yield other(PEERS[name], weights, args.environments)


def figures(
    pictures: Sequence[Picture],
    read: dict[str, dict[str, Reading]],
    group: Callable[[Picture], str],
) -> list[dict[str, Any]]:
    """One row for each group of pictures and each reader."""
    rows = []
    groups: dict[str, list[Picture]] = {}
    for one in pictures:
        groups.setdefault(group(one), []).append(one)
    for name, members in groups.items():
        for reader, readings in read.items():
            found = [(one.truth or (), readings[one.name]) for one in members]
            rows.append({"group": name, "reader": reader, **rates(found)})
    return rows


def rates(found: Sequence[tuple[Sequence[Any], Reading]]) -> dict[str, float | None]:
    """The figures of some pictures: those of texts over all lines, those of order over pictures."""
    total = Counter[str]()
    orders, words = [], []
    for truth, reading in found:
        total.update(compare(truth, reading.lines))
        boxes = [np.array([line.box for line in lines]) for lines in (truth, reading.lines)]
        orders.append(order_error(*boxes))
        words.append(word_overlap(truth, reading.lines))
    overlaps = [one for one in words if one is not None]
    return {
        **percent(total),
        "order_error_percent": 100 * float(np.mean(orders)),
        "word_iou_percent": 100 * float(np.mean(overlaps)) if overlaps else None,
        "cpu_seconds": float(np.mean([reading.cpu_seconds for _, reading in found])),
    }


def pivot(rows: Sequence[dict[str, Any]], name: str, key: str, names: list[str]) -> Table:
    """One figure: a row for each group, a column for each reader."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        found.setdefault(row["group"], {name: row["group"]})[row["reader"]] = row[key]
    return Table(
        list(found.values()), [name, *names], key.replace("_percent", ", %").replace("_", " ")
    )


def misses(
    pictures: Sequence[Picture], read: dict[str, dict[str, Reading]]
) -> list[dict[str, str]]:
    """The lines that are not read to the letter."""
    rows = []
    for reader, readings in read.items():
        for one in pictures:
            truth = one.truth or ()
            texts, _ = assign(truth, readings[one.name].lines)
            rows += [
                {"reader": reader, "picture": one.name, "text": line.text, "read": text}
                for line, text in zip(truth, texts, strict=True)
                if line.text != text
            ]
    return rows

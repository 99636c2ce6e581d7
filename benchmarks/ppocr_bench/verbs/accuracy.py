"""Boxes and texts against what is known to be on the pictures, for each padding."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any, Literal

from tqdm import tqdm

from ppocr_bench.errors import BenchError
from ppocr_bench.metrics import Counts, compare, inside
from ppocr_bench.pictures import Picture, gather, picture_options
from ppocr_bench.record import Result, Table
from ppocr_bench.target import TARGET, serving
from ppocr_client import OcrClient

OPTIONS = {**TARGET, **picture_options(40)}
PADDINGS: tuple[Literal["crop", "paddle"], ...] = ("crop", "paddle")


def run(args: argparse.Namespace) -> Result:
    """Read every picture with either padding, one after the other."""
    pictures = [picture for picture in gather(args) if picture.truth is not None]
    if not pictures:
        raise BenchError("no picture has a truth: name pictures with --labels, or ask for --pages")
    totals: dict[str, Counts] = dict.fromkeys(PADDINGS, Counts())
    with serving(args) as found, OcrClient(found.urls[0]) as client:
        for picture in tqdm(pictures, unit="picture", disable=None):
            for padding in PADDINGS:
                totals[padding] += judge(picture, client.read(picture.data, rec_padding=padding))
    rows = [
        {"rec_padding": padding, **asdict(counts), **counts.percent()}
        for padding, counts in totals.items()
    ]
    counts = totals[PADDINGS[0]]
    caption = (
        f"{len(pictures)} pictures, {counts.truth_boxes} lines, {counts.characters} characters"
    )
    return Result(
        "boxes at IoU 0.5; cer: character error rate; folded: without spaces, full-width forms as "
        "plain ones",
        settings={"pictures": len(pictures)},
        tables={"paddings": Table(rows, ["rec_padding", *counts.percent()], caption)},
    )


def judge(picture: Picture, result: Any) -> Counts:
    """The counts of one picture for what an OcrClient read on it.

    Lines that nobody can read count neither way, nor does what was read there.
    """
    truth = picture.truth or ()
    unreadable = [line.box for line in truth if not line.counts]
    lines = [line for line in result.lines if not inside(line.box, unreadable)]
    return compare([line for line in truth if line.counts], lines)

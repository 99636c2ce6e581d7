"""Boxes, texts and reading order against what is known to be on the pictures."""

from __future__ import annotations

import argparse
from collections import Counter
from typing import Literal

from tqdm import tqdm

from ppocr_bench.accuracy.metrics import compare, percent
from ppocr_bench.accuracy.reading_order import measure
from ppocr_bench.errors import BenchError
from ppocr_bench.options import at_least
from ppocr_bench.pictures import gather, picture_options
from ppocr_bench.record import Result, Table
from ppocr_bench.target import TARGET, serving
from ppocr_client import OcrClient

LAYOUTS = "pages of each layout (columns, receipt, table, ...) whose reading order is known"
OPTIONS = {**TARGET, **picture_options(40), "--layouts": (at_least(0), 0, LAYOUTS, "N")}
PADDINGS: tuple[Literal["crop", "paddle"], ...] = ("crop", "paddle")


def run(args: argparse.Namespace) -> Result:
    """Read every picture with either padding, one after the other."""
    pictures = [(one.data, one.truth) for one in gather(args) if one.truth is not None]
    if not pictures:
        said = (
            "no picture has a truth: --samples names a folder with truth.json, --pages renders some"
        )
        raise BenchError(said)
    totals = {padding: Counter[str]() for padding in PADDINGS}
    with serving(args) as found, OcrClient(found.urls[0]) as client:
        for data, truth in tqdm(pictures, unit="picture", disable=None):
            for padding, total in totals.items():
                total.update(compare(truth, client.read(data, rec_padding=padding).lines))
        ordered = {"order": measure(client, args.layouts)} if args.layouts else {}
    rates = {padding: percent(total) for padding, total in totals.items()}
    rows = [{"rec_padding": one, **totals[one], **rates[one]} for one in PADDINGS]
    total, keys = totals[PADDINGS[0]], ["rec_padding", *rates[PADDINGS[0]]]
    lines, characters = total["truth_boxes"], total["characters"]
    caption = f"{len(pictures)} pictures, {lines} lines, {characters} characters"
    return Result(
        "boxes at IoU 0.5; cer: character error rate; folded: without spaces, full-width forms as "
        "plain ones",
        settings={"pictures": len(pictures)},
        tables={"paddings": Table(rows, keys, caption), **ordered},
    )

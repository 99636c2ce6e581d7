"""accuracy: boxes and texts against what is known to be on the pictures, for each padding."""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from ppocr_bench.errors import BenchError
from ppocr_bench.machine import describe, describe_lines
from ppocr_bench.pictures import Picture, add_picture_arguments, gather
from ppocr_bench.report import table
from ppocr_bench.target import add_target_arguments, target

if TYPE_CHECKING:
    from ppocr_bench.metrics import Counts

PADDINGS: tuple[Literal["crop", "paddle"], ...] = ("crop", "paddle")
RATES = {
    "hmean": "box hmean",
    "cer": "CER",
    "exact": "exact lines",
    "folded_cer": "CER*",
    "folded_exact": "exact lines*",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this verb."""
    add_target_arguments(parser)
    add_picture_arguments(parser, pages=40)


@dataclass(frozen=True)
class Accuracy:
    """The result: counts over all pictures by rec_padding; no picture without truth counts.

    `machine` is what it was measured on.
    """

    machine: dict[str, Any]
    pictures: int
    counts: dict[str, Counts]

    @property
    def ok(self) -> bool:
        """Measuring is all there is to do."""
        return True

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        rows = {name: {**asdict(counts), **counts.rates()} for name, counts in self.counts.items()}
        return {"machine": self.machine, "pictures": self.pictures, "rec_padding": rows}

    def lines(self) -> list[str]:
        """One row for each padding."""
        rows = [
            [name, *(f"{counts.rates()[rate]:.2%}" for rate in RATES)]
            for name, counts in self.counts.items()
        ]
        counts = next(iter(self.counts.values()))
        return [
            *describe_lines(self.machine),
            f"{self.pictures} pictures, {counts.truth_boxes} lines, {counts.characters} characters",
            *table(["rec_padding", *RATES.values()], rows),
            "box hmean at IoU 0.5; CER: character error rate; * without spaces, full-width forms "
            "as plain ones",
        ]


def run(args: argparse.Namespace) -> Accuracy:
    """Read every picture with either padding, one after the other.

    Raises:
        BenchError: of no picture it is known what is written on it.
    """
    from tqdm import tqdm

    from ppocr_bench.metrics import Counts
    from ppocr_client import OcrClient

    pictures = [picture for picture in gather(args) if picture.truth is not None]
    if not pictures:
        raise BenchError("no picture has a truth: name pictures with --labels, or ask for --pages")
    totals: dict[str, Counts] = dict.fromkeys(PADDINGS, Counts())
    with target(args) as urls, OcrClient(urls[0]) as client:
        for picture in tqdm(pictures, unit="picture", disable=None):
            for padding in PADDINGS:
                totals[padding] += judge(picture, client.read(picture.data, rec_padding=padding))
    return Accuracy(describe(), len(pictures), totals)


def judge(picture: Picture, result: Any) -> Counts:
    """The counts of one picture for what an OcrClient read on it.

    Lines that nobody can read count neither way, nor does what was read there.
    """
    from ppocr_bench.metrics import compare, inside

    truth = picture.truth or ()
    unreadable = [line.box for line in truth if not line.counts]
    lines = [line for line in result.lines if not inside(line.box, unreadable)]
    counted = [line for line in truth if line.counts]
    return compare(
        [line.box for line in counted],
        [line.text for line in counted],
        [line.box for line in lines],
        [line.text for line in lines],
    )

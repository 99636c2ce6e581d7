"""lines: what a page costs against its number of lines, beside its crops alone.

Two ways over gRPC: `recognize` with the boxes given, beside the bare recogniser on the same
tensors, and `ocr`, which finds them first, beside both bare networks. The page grows with its
lines, and the detector sees it as it is, up to its largest limit.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any

from ppocr_bench.arguments import at_least, list_of
from ppocr_bench.latency import time_in_turn
from ppocr_bench.machine import describe, describe_lines
from ppocr_bench.report import table
from ppocr_bench.target import add_target_arguments, target

if TYPE_CHECKING:
    import numpy as np

    from ppocr_bench.bare import Networks, Work
    from ppocr_client import OcrClient

COUNTS = [1, 10, 50, 100, 300, 1000]
GIVEN, FOUND = "recognize", "ocr"
SIDE_LIMIT = 4096  # pixels, the largest that det_limit_side_len may be
TIMEOUT = 600.0  # seconds for one page
#: A page of this many lines is to take no more than so many times what its crops take alone.
TARGET_LINES, TARGET = 300, 1.1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this verb."""
    add_target_arguments(parser)
    parser.add_argument(
        "--lines",
        type=list_of(at_least(1)),
        default=COUNTS,
        metavar="N,…",
        help=f"of the pages (default: {','.join(map(str, COUNTS))})",
    )
    parser.add_argument("--seed", type=int, default=1000, help="default: %(default)s")
    parser.add_argument("--rounds", type=at_least(1), default=5, help="default: %(default)s")
    parser.add_argument("--warm-up", type=at_least(0), default=1, help="default: %(default)s")


@dataclass(frozen=True)
class Page:
    """One page read in one way.

    Attributes:
        way: GIVEN or FOUND.
        lines: boxes that were read.
        seconds: every time that was taken.
        alone: the same of the bare networks, on as many cores.
    """

    way: str
    lines: int
    seconds: list[float]
    alone: list[float]

    @property
    def ratio(self) -> float:
        """Times what the bare networks take; medians."""
        return median(self.seconds) / median(self.alone)

    @property
    def ms_a_line(self) -> float:
        """Milliseconds."""
        return median(self.seconds) * 1e3 / max(1, self.lines)


@dataclass(frozen=True)
class Lines:
    """The result; `machine` is what it was measured on, `setting` how the networks are served."""

    machine: dict[str, Any]
    setting: str
    pages: list[Page]

    @property
    def ok(self) -> bool:
        """Measuring is all there is to do."""
        return True

    def marginal(self) -> list[float | None]:
        """For each page the milliseconds that a line more than on the smaller one before takes."""
        found: list[float | None] = []
        before: dict[str, Page] = {}
        for page in self.pages:
            last = before.get(page.way)
            more = page.lines - last.lines if last else 0
            if last is None or more <= 0:
                found.append(None)
            else:
                found.append((median(page.seconds) - median(last.seconds)) * 1e3 / more)
            before[page.way] = page
        return found

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON can hold it; times in seconds."""
        pages = [
            {
                **asdict(page),
                "median": median(page.seconds),
                "ratio": page.ratio,
                "ms_a_line": page.ms_a_line,
                "ms_a_further_line": more,
            }
            for page, more in zip(self.pages, self.marginal(), strict=True)
        ]
        return {"machine": self.machine, "setting": self.setting, "pages": pages}

    def lines(self) -> list[str]:
        """A row for each page and way, and what became of the target."""
        head = ["way", "lines", "ms", "ms alone", "ratio", "ms a line", "ms a further line"]
        rows = [
            [
                page.way,
                str(page.lines),
                f"{median(page.seconds) * 1e3:.0f}",
                f"{median(page.alone) * 1e3:.0f}",
                f"{page.ratio:.3f}",
                f"{page.ms_a_line:.2f}",
                "" if more is None else f"{more:.2f}",
            ]
            for page, more in zip(self.pages, self.marginal(), strict=True)
        ]
        verdicts = [
            f"{page.way}, {page.lines} lines: {page.ratio:.3f} times its crops alone, wanted "
            f"<= {TARGET}: {'met' if page.ratio <= TARGET else 'missed'}"
            for page in self.pages
            if TARGET_LINES * 0.95 <= page.lines <= TARGET_LINES * 1.05
        ]
        return [
            *describe_lines(self.machine),
            self.setting,
            *table(head, rows),
            *verdicts,
            "alone: the bare networks on the very tensors, rec batches on all cores at once",
        ]


def run(args: argparse.Namespace) -> Lines:
    """Time every page in every way in turn, round after round."""
    from ppocr_bench.bare import Networks
    from ppocr_client import OcrClient

    networks = Networks(args.repository)
    with target(args) as urls, OcrClient(urls[0], timeout=TIMEOUT) as client:
        calls: list[Callable[[], object]] = []
        read: list[tuple[str, int]] = []
        for way, count, served, alone in ways(args, networks, client):
            read.append((way, count))
            calls += [served, alone]
        seconds = time_in_turn(calls, args.warm_up, args.rounds)
    pages = [
        Page(way, count, seconds[2 * index], seconds[2 * index + 1])
        for index, (way, count) in enumerate(read)
    ]
    pages.sort(key=lambda page: (page.way, page.lines))
    return Lines(describe(), networks.describe(), pages)


def ways(
    args: argparse.Namespace, networks: Networks, client: OcrClient
) -> Iterator[tuple[str, int, Callable[[], object], Callable[[], object]]]:
    """For each page and way: its name, the lines that are read, the request, the bare networks."""
    import numpy as np

    from ppocr_converters.pictures.render import encode_page, render_dense_page

    for count in sorted(set(args.lines)):
        page = render_dense_page(args.seed, count)
        data = encode_page(page)
        boxes = np.array([line.box for line in page.lines], np.float32)
        given = work_of(networks, page.image, boxes)
        served: Callable[[], object] = partial(client.recognize, data, boxes)
        yield GIVEN, len(boxes), served, partial(networks.rec_as_served, given)
        found = work_of(networks, page.image, None)
        served = partial(client.read, data, det_limit_side_len=SIDE_LIMIT)
        yield FOUND, found.lines, served, partial(networks.as_served, found)


def work_of(networks: Networks, pixels: np.ndarray, boxes: np.ndarray | None) -> Work:
    """What the networks are fed for a page with these boxes, or with those that are found."""
    from ppocr_bench.bare import Work

    work = Work({}, [])
    pipeline, options = networks.pipeline(work), {"det_limit_side_len": SIDE_LIMIT}
    if boxes is None:
        boxes, _ = pipeline.detect(pixels, options)
    pipeline.recognize(pixels, boxes, options)
    return work

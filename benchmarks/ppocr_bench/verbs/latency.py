"""What one request takes, beside the bare networks on the same tensors.

With --lines, rendered pages of so many lines are read as well, in two ways: `ocr` finds the lines,
and `recognize` is given them, beside the recogniser alone. The page grows with its lines, and the
detector sees it as it is, up to its largest limit.
"""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from ppocr_bench.networks import Networks
from ppocr_bench.options import Options, at_least, list_of
from ppocr_bench.pictures import gather, picture_options
from ppocr_bench.record import Chart, Result, Row, Table, percentile_ms
from ppocr_bench.target import TARGET, serving
from ppocr_client import OcrClient
from ppocr_converters.pictures.render import encode_page, render_dense_page

OPTIONS: Options = {
    **TARGET,
    **picture_options(1),
    "--lines": (list_of(at_least(1)), [], "also rendered pages of so many lines each", "N,…"),
    "--rounds": (at_least(1), 15, "how often each is timed"),
    "--warm-up": (at_least(0), 3, "rounds before those"),
}
#: What the verb `lines` was: pages of several lengths and nothing else.
LINES_DEFAULTS = {"lines": [1, 10, 50, 100, 300, 1000], "no_samples": True, "pages": 0}
LINES_DEFAULTS |= {"rounds": 5, "warm_up": 1}
SIDE_LIMIT = 4096  # pixels, the largest that det_limit_side_len may be
TIMEOUT = 600.0  # seconds for one page
KEYS = ["picture", "lines", "way", "best_ms", "median_ms", "p90_ms", "networks_ms", "ratio"]
KEYS += ["not_inference_percent", "ms_a_line", "ms_a_further_line"]


class Case(NamedTuple):
    """A picture read in one way: `served` asks the server, `alone` runs the networks."""

    picture: str
    lines: int
    way: str
    served: Callable[[], object]
    alone: Callable[[], object]


def run(args: argparse.Namespace) -> Result:
    """Time every way of reading every picture in turn, round after round."""
    networks = Networks(args.repository)
    with serving(args) as found, contextlib.ExitStack() as opened:
        clients = {
            url.partition("://")[0]: opened.enter_context(OcrClient(url, timeout=TIMEOUT))
            for url in found.urls
        }
        cases = [*picture_cases(args, networks, clients)]
        cases += page_cases(args, networks, clients[next(iter(clients))])
        # Ways of one picture share what runs the networks, which is timed once.
        calls = list(dict.fromkeys(call for case in cases for call in (case.served, case.alone)))
        seconds = time_in_turn(calls, args.warm_up, args.rounds)
    rows = [figures(case, seconds[case.served], seconds[case.alone]) for case in cases]
    add_further_lines(rows)
    caption = (
        f"{networks.describe()}; networks: det, then as many rec batches at once as there are "
        "instances, on the very tensors of the picture"
    )
    values = ["median_ms", "networks_ms"]
    chart = Chart("bars", "timed", "way", values, "Medians.", series="picture")
    if len(args.lines) > 1:
        chart = Chart("lines", "timed", "lines", values, "Medians by lines of a page.", "way")
    return Result(
        "; ".join(overall(rows)),
        settings={"networks": networks.describe(), "rounds": args.rounds},
        tables={"timed": Table(rows, KEYS, caption)},
        charts=[chart],
    )


def picture_cases(
    args: argparse.Namespace, networks: Networks, clients: Mapping[str, OcrClient]
) -> Iterator[Case]:
    """Every picture over every protocol; none where only pages of --lines are asked for."""
    if args.lines and args.no_samples and not (args.pages or args.images or args.labels):
        return
    for picture in gather(args):
        work = networks.work_of(picture.data)
        alone = partial(networks.run, work)
        for protocol, client in clients.items():
            yield Case(
                picture.name, work.lines, protocol, partial(client.read, picture.data), alone
            )


def page_cases(args: argparse.Namespace, networks: Networks, client: OcrClient) -> Iterator[Case]:
    """Pages of so many lines, which the server is given or finds."""
    for count in sorted(set(args.lines)):
        page = render_dense_page(args.seed, count)
        data, boxes = encode_page(page), np.array([line.box for line in page.lines], np.float32)
        given = networks.work_of_page(page.image, boxes, SIDE_LIMIT)
        found = networks.work_of_page(page.image, None, SIDE_LIMIT)
        ways = {
            "recognize": (given, partial(client.recognize, data, boxes)),
            "ocr": (found, partial(client.read, data, det_limit_side_len=SIDE_LIMIT)),
        }
        for way, (work, served) in ways.items():
            yield Case(f"page of {count}", work.lines, way, served, partial(networks.run, work))


def time_in_turn(
    calls: Sequence[Callable[[], object]], warm_up: int, rounds: int
) -> dict[Callable[[], object], list[float]]:
    """Seconds of each call in each round; what slows the machine for a while slows all alike."""
    taken: dict[Callable[[], object], list[float]] = {call: [] for call in calls}
    for number in tqdm(range(-warm_up, rounds), unit="round", disable=None):
        for call, times in taken.items():
            begin = time.perf_counter()
            call()
            if number >= 0:
                times.append(time.perf_counter() - begin)
    return taken


def figures(case: Case, served: list[float], alone: list[float]) -> dict[str, Any]:
    """The figures of a case; every time that was taken is kept, in seconds."""
    ratio = median(served) / median(alone)
    return {
        "picture": case.picture,
        "lines": case.lines,
        "way": case.way,
        "best_ms": min(served) * 1e3,
        "median_ms": median(served) * 1e3,
        "p90_ms": percentile_ms(served, 90),
        "networks_ms": median(alone) * 1e3,
        "networks_best_ms": min(alone) * 1e3,
        "ratio": ratio,
        "not_inference_percent": 100 * (1 - 1 / ratio),
        "ms_a_line": median(served) * 1e3 / case.lines if case.lines else None,
        "seconds": served,
        "networks_seconds": alone,
    }


def add_further_lines(rows: Sequence[dict[str, Any]]) -> None:
    """Say of each page what a line more than on the page before takes, if it was read alike."""
    before: dict[str, dict[str, Any]] = {}
    for row in rows:
        last = before.get(row["way"])
        if row["way"] in ("ocr", "recognize") and last and row["lines"] > last["lines"]:
            more = row["median_ms"] - last["median_ms"]
            row["ms_a_further_line"] = more / (row["lines"] - last["lines"])
        before[row["way"]] = row


def overall(rows: Sequence[Row]) -> Iterator[str]:
    """For each way the ratio of all pictures together, of medians and of best times."""
    for way in dict.fromkeys(row["way"] for row in rows):
        own = [row for row in rows if row["way"] == way]
        medians, best = (
            sum(row[served] for row in own) / sum(row[alone] for row in own)
            for served, alone in (("median_ms", "networks_ms"), ("best_ms", "networks_best_ms"))
        )
        yield (
            f"{way}: {medians:.3f} times the networks by medians, {best:.3f} by best times "
            f"({1 - 1 / medians:.1%} and {1 - 1 / best:.1%} of the time are not inference)"
        )

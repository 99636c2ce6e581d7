"""What one request takes, beside the bare networks on the same tensors.

With --lines, rendered pages of so many lines are read as well. Such a page grows with its lines,
and the detector sees it as it is, up to its largest limit.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from statistics import median
from typing import Any

from ppocr_bench.load import closed_loop, in_turns
from ppocr_bench.networks import Networks, describe, lines_of
from ppocr_bench.options import Options, list_of
from ppocr_bench.pictures import Picture, gather, picture_options
from ppocr_bench.record import Chart, Result, Row, Table, percentile_ms
from ppocr_bench.target import TARGET, sender, serving
from ppocr_client.commands.argument_types import at_least
from ppocr_converters.pictures.render import encode_page, render_dense_page

OPTIONS: Options = {
    **TARGET,
    **picture_options(1),
    "--lines": (list_of(at_least(1)), [], "also rendered pages of so many lines each", "N,…"),
    "--rounds": (at_least(1), 15, "how often each is timed"),
    "--warm-up": (at_least(0), 3, "rounds before those"),
}
PAGE_OPTIONS = {"det_limit_side_len": 4096}  # pixels, its largest value
KEYS = ["picture", "lines", "protocol", "median_ms", "p90_ms", "networks_ms", "ratio"]
TIMEOUT = 600.0  # seconds for one page
Call = Callable[[], object]


def run(args: argparse.Namespace) -> Result:
    """Time every picture on every protocol in turn, round after round."""
    networks = Networks(args.repository)
    with serving(args) as found, contextlib.ExitStack() as opened:
        cases: list[tuple[dict[str, Any], Call, Call]] = []
        for picture, options in pictures(args):
            _, work = networks.read(picture.data, options)
            alone = partial(networks.run, work)
            for url in found.urls:
                send = opened.enter_context(sender(url, [picture], options, TIMEOUT))
                protocol, served = url.partition("://")[0], partial(send, 0)
                case = {"picture": picture.name, "lines": lines_of(work), "protocol": protocol}
                cases.append((case, served, alone))
        # What runs the networks on a picture is timed once.
        calls = [call for _, served, alone in cases for call in (served, alone)]
        timed = {call: partial(seconds_of, call) for call in calls}
        seconds = in_turns(timed, args.rounds, args.warm_up)
    rows = [case | figures(seconds[served], seconds[alone]) for case, served, alone in cases]
    setting = describe(args.repository)
    caption = (
        f"{setting}; networks: det, then as many rec batches at once as there are instances, on "
        "the very tensors of the picture"
    )
    medians = ["median_ms", "networks_ms"]
    chart = Chart("timed", "lines", medians, "Medians by lines.", series="protocol")
    return Result(
        "; ".join(overall(rows)),
        settings={"networks": setting},
        tables={"timed": Table(rows, KEYS, caption)},
        charts=[chart] if len(args.lines) > 1 else [],
    )


def pictures(args: argparse.Namespace) -> Iterator[tuple[Picture, dict[str, int]]]:
    """The pictures, unless pages of --lines alone are asked for; then these, with options."""
    if not args.lines or not args.no_samples or args.pages or args.images:
        yield from ((picture, {}) for picture in gather(args))
    for count in sorted(set(args.lines)):
        page = encode_page(render_dense_page(args.seed, count))
        yield Picture(f"page of {count}", page), PAGE_OPTIONS


def seconds_of(call: Call) -> float:
    """What a call takes."""
    return closed_loop(lambda _: call(), 1, requests=1).answers[0].seconds


def figures(served: list[float], alone: list[float]) -> dict[str, Any]:
    """A request beside the networks alone; every time that was taken is kept, in seconds."""
    return {
        "median_ms": median(served) * 1e3,
        "p90_ms": percentile_ms(served, 90),
        "networks_ms": median(alone) * 1e3,
        "ratio": median(served) / median(alone),
        "seconds": served,
        "networks_seconds": alone,
    }


def overall(rows: Sequence[Row]) -> Iterator[str]:
    """For each protocol the ratio of all pictures together, by medians."""
    for protocol in dict.fromkeys(row["protocol"] for row in rows):
        own = [row for row in rows if row["protocol"] == protocol]
        ratio = sum(row["median_ms"] for row in own) / sum(row["networks_ms"] for row in own)
        yield f"{protocol}: {ratio:.3f} times the networks ({1 - 1 / ratio:.1%} are not inference)"

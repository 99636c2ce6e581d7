"""Many clients at the same time get, to the byte, the answers that one gets alone."""

from __future__ import annotations

import argparse
from functools import partial

from ppocr_bench.load import closed_loop
from ppocr_bench.options import one_of
from ppocr_bench.pictures import gather, picture_options
from ppocr_bench.record import Result
from ppocr_bench.target import TARGET, TIMEOUT, serving
from ppocr_client import OcrClient
from ppocr_client.commands.argument_types import at_least

OPTIONS = {
    **TARGET,
    **picture_options(0),
    "--clients": (at_least(1), 8, "at the same time"),
    "--requests": (at_least(1), 200, "in all"),
    "--pictures": (at_least(1), 6, "how many of them are used at most"),
    "--rec-padding": (one_of(("crop", "paddle")), "crop", "how lines are padded"),
}


def run(args: argparse.Namespace) -> Result:
    """Ask alone, then all at once, at the first of the given addresses."""
    pictures = gather(args)[: args.pictures]
    files = [picture.data for picture in pictures]
    with serving(args) as found, OcrClient(found.urls[0], timeout=TIMEOUT) as client:
        ask = partial(client.read, rec_padding=args.rec_padding)
        alone = list(map(ask, files))
        load = closed_loop(
            lambda number: ask(files[number % len(files)]), args.clients, requests=args.requests
        )
    differences = []
    for index, expected in enumerate(alone):
        got = [one.value for one in load.answers if one.number % len(files) == index]
        if count := sum(answer != expected for answer in got):
            differences.append(f"{pictures[index].name}: {count} of {len(got)} answers differ")
    return Result(
        f"{len(load.answers)} answers to {args.clients} clients for {len(pictures)} pictures on "
        f"{found.urls[0].partition(':')[0]}, compared to the byte with those got alone; "
        f"{load.per_second:.2f} pictures/s",
        ok=not differences,
        settings={"pictures": [picture.name for picture in pictures]},
        notes=differences,
    )

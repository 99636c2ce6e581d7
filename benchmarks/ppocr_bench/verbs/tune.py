"""Find how this machine is used best for these pictures, as a `triton:` section.

One thing after the other is varied, and what reads most within the latency limit is kept. Two
settings at a time are compared by time, so that a machine that others use too is refused.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from statistics import median
from typing import Any, NamedTuple

from ppocr_bench.errors import BenchError
from ppocr_bench.load import Send, closed_loop, in_turns
from ppocr_bench.machine import disturbance
from ppocr_bench.pictures import Picture, gather, picture_options
from ppocr_bench.record import Result, Row, Run, Table, summarise
from ppocr_bench.target import REPOSITORY, sender
from ppocr_bench.tune_setting import Setting, read_setting, section, steps, with_setting
from ppocr_client.commands.argument_types import above_zero, at_least
from ppocr_engine.machine import available_cores
from ppocr_server.tritonserver.server import TritonServer

logger = logging.getLogger(__name__)

#: A change must gain so much, as a share, to be kept: less is noise, and the default is simpler.
WORTH_IT = 0.03
OPTIONS = {
    **picture_options(2),
    **REPOSITORY,
    "--clients": (at_least(1), 4, "at the same time"),
    "--max-p99-ms": (above_zero, None, "in which 99 of 100 requests must be answered", "MS"),
    "--seconds": (above_zero, 5.0, "of each round, at least"),
    "--rounds": (at_least(1), 3, "of each setting"),
    "--force": (bool, False, "also on a machine that is too busy to time"),
}


class Trial(NamedTuple):
    """One setting as it was measured beside others: `pictures_per_second`, `rounds`, `p99_ms`."""

    setting: Setting
    figures: Row


def run(args: argparse.Namespace) -> Result:
    """Vary one thing after the other, and measure the winner beside the default again."""
    default, pictures = read_setting(args.repository), gather(args)
    measure = partial(side_by_side, args, pictures)
    tuned, trials = search(default, steps(available_cores(), default), measure, args.max_p99_ms)
    last = measure(list(dict.fromkeys([default, tuned])))
    return judge(trials, last, args.max_p99_ms)


def side_by_side(
    args: argparse.Namespace, pictures: Sequence[Picture], settings: Sequence[Setting]
) -> list[Trial]:
    """Serve every setting, and load one server after the other, round after round.

    BenchError where others use the machine meanwhile, unless `args.force` is set.
    """

    def take(send: Send) -> Run:
        with disturbance() as seen:
            run = closed_loop(send, args.clients, seconds=args.seconds, items=len(pictures))
        if seen.busy:
            said = f"this machine is too busy to time: {seen}"
            if not args.force:
                raise BenchError(f"{said}; stop what else runs, or measure with --force")
            logger.warning("%s; measured all the same (--force)", said)
        return run

    with contextlib.ExitStack() as opened:
        cases = {}
        for setting in settings:
            folder = opened.enter_context(with_setting(args.repository, setting))
            server = opened.enter_context(TritonServer(folder))
            send = opened.enter_context(sender(f"grpc://{server.grpc_url}", pictures))
            closed_loop(send, 1, requests=len(pictures))
            cases[setting] = partial(take, send)
        turns = in_turns(cases, args.rounds)
    return [Trial(setting, summarise(runs)) for setting, runs in turns.items()]


def search(
    start: Setting,
    planned: Iterable[tuple[str, Sequence[Mapping[str, Any]]]],
    measure: Callable[[Sequence[Setting]], list[Trial]],
    max_p99_ms: float | None,
) -> tuple[Setting, list[Trial]]:
    """The best setting that was found, and everything that was measured.

    `planned` is what is varied, and the values that are tried for it; no limit is None.
    """
    best, trials, tried = start, list[Trial](), {start}
    for name, values in planned:
        logger.info("varying %s", name)
        for value in values:
            # Two at a time: each server holds its memory, for every core.
            if (other := best._replace(**value)) not in tried:
                tried.add(other)
                trials += (found := measure([best, other]))
                best = choose(found, max_p99_ms).setting
    return best, trials


def choose(trials: Sequence[Trial], max_p99_ms: float | None) -> Trial:
    """The trial to go on with: of those within the limit the fastest; where none is, the quickest.

    The first is the one in force, which stays unless another is worth the change.
    """

    def speed(trial: Trial) -> float:
        return float(trial.figures["pictures_per_second"])

    within = [one for one in trials if max_p99_ms is None or one.figures["p99_ms"] <= max_p99_ms]
    if not within:
        return min(trials, key=lambda trial: trial.figures["p99_ms"])
    fastest = max(within, key=speed)
    gain = speed(fastest) / speed(trials[0]) - 1
    return trials[0] if trials[0] in within and gain < WORTH_IT else fastest


def judge(trials: Sequence[Trial], last: Sequence[Trial], max_p99_ms: float | None) -> Result:
    """It passes within the latency limit.

    The gain is the median over the last rounds, of the tuned setting beside the default.
    """
    default, tuned = last[0], last[-1]
    pairs = zip(default.figures["rounds"], tuned.figures["rounds"], strict=True)
    gain = median(after / before for before, after in pairs) - 1
    within = max_p99_ms is None or tuned.figures["p99_ms"] <= max_p99_ms
    rows = [one.setting._asdict() | dict(one.figures) for one in [*trials, *last]]
    lines = section(tuned.setting, default.setting)
    keys = [*Setting._fields, "pictures_per_second", "rounds", "p99_ms"]
    return Result(
        f"gain over the default: {gain:+.1%} pictures/s, p99 {default.figures['p99_ms']:.0f} ms to "
        f"{tuned.figures['p99_ms']:.0f} ms\n\n{lines}",
        ok=within,
        settings={"gain": gain, "section": lines},
        tables={"trials": Table(rows, keys, "Settings side by side, the winner last")},
        notes=[] if within else [f"no setting was found that keeps {max_p99_ms:g} ms"],
    )

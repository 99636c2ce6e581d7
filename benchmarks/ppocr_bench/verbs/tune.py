"""Find how this machine is used best for these pictures, as a `triton:` section.

One thing after the other is varied, and what reads most within the latency limit is kept. Settings
are compared by time, so that a machine that others use too is refused.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from tqdm import tqdm

from ppocr_bench.errors import BenchError
from ppocr_bench.load import Send, closed_loop
from ppocr_bench.machine import Disturbance, disturbance, sample
from ppocr_bench.options import at_least, positive
from ppocr_bench.pictures import Picture, gather, picture_options
from ppocr_bench.record import Result, Run, Table, percentile_ms
from ppocr_bench.target import REPOSITORY, sender
from ppocr_bench.tune_setting import (
    Setting,
    read_configs,
    read_setting,
    section,
    steps,
    variants,
    write_setting,
)
from ppocr_engine.config_pbtxt import write_config
from ppocr_engine.machine import available_cores
from ppocr_server.tritonserver.server import TritonServer

logger = logging.getLogger(__name__)

#: A change must gain so much, as a share, to be kept: less is noise, and the default is simpler.
WORTH_IT = 0.03
OPTIONS = {
    **picture_options(2),
    **REPOSITORY,
    "--clients": (at_least(1), 4, "at the same time"),
    "--max-p99-ms": (positive, None, "in which 99 of 100 requests must be answered", "MS"),
    "--seconds": (positive, 5.0, "of each round, at least"),
    "--rounds": (at_least(1), 3, "of each setting"),
    "--write": (Path, None, "write the section here too", "FILE"),
    "--force": (bool, False, "also on a machine that is too busy to time"),
}


class Trial(NamedTuple):
    """One setting as it was measured beside others."""

    step: str
    setting: Setting
    runs: list[Run]
    meanwhile: list[Disturbance]

    @property
    def rounds(self) -> list[float]:
        """Pictures read in a second, round by round."""
        return [run.per_second for run in self.runs]

    @property
    def pictures_per_second(self) -> float:
        """The median of the rounds."""
        return median(self.rounds)

    @property
    def p99_ms(self) -> float:
        """Of the requests of all rounds."""
        return percentile_ms([s for run in self.runs for s in run.latencies()], 99) or 0.0


#: Measures settings side by side, in the order given.
Measure = Callable[[str, Sequence[Setting]], list[Trial]]


def run(args: argparse.Namespace) -> Result:
    """Vary one thing after the other, and measure the winner beside the default again."""
    before = sample()
    if before.busy:
        said = f"this machine is too busy to time: {before}"
        if not args.force:
            raise BenchError(f"{said}; stop what else runs, or measure all the same with --force")
        logger.warning("%s; measured all the same (--force)", said)
    default = read_setting(read_configs(args.repository))
    pictures, planned = gather(args), list(steps(available_cores(), default))
    longest = sum(len(values) for _, values in planned) + 2 + len(planned)
    with tqdm(total=longest * args.rounds, unit="round", disable=None) as bar:

        def measure(step: str, settings: Sequence[Setting]) -> list[Trial]:
            bar.set_description(step)
            return side_by_side(args, step, settings, pictures, bar.update)

        tuned, trials = search(default, planned, measure, args.max_p99_ms)
        last = measure("in the end", list(dict.fromkeys([default, tuned])))
    result = judge(args, tuned, trials, last)
    if args.write is not None and result.ok:
        args.write.write_text(f"{result.settings['section']}\n", encoding="utf-8")
    return result


def judge(
    args: argparse.Namespace, tuned: Setting, trials: Sequence[Trial], last: Sequence[Trial]
) -> Result:
    """It passes within the latency limit, measured on a quiet machine or with --force.

    The gain is the median over the last rounds, of the tuned setting beside the default.
    """
    default, pairs = last[0].setting, zip(last[0].rounds, last[-1].rounds, strict=True)
    gain = median(after / before for before, after in pairs) - 1
    within = args.max_p99_ms is None or last[-1].p99_ms <= args.max_p99_ms
    disturbances = [one for trial in [*trials, *last] for one in trial.meanwhile]
    busy = [one for one in disturbances if one.busy]
    notes = [] if within else [f"no setting was found that keeps {args.max_p99_ms:g} ms"]
    if busy:
        worst = max(busy, key=lambda one: one.others + one.stolen)
        rounds = f"{len(busy)} of {len(disturbances)} rounds"
        notes.append(f"this machine was too busy to time in {rounds}, do not trust them: {worst}")
    rows = [
        {
            "step": trial.step,
            "setting": ", ".join(map(str, trial.setting)),
            "pictures_per_second": trial.pictures_per_second,
            "rounds": trial.rounds,
            "p99_ms": trial.p99_ms,
        }
        for trial in [*trials, *last]
    ]
    lines = "\n".join(section(tuned, default))
    caption = f"settings are {', '.join(Setting._fields)}; {args.clients} clients"
    return Result(
        f"gain over the default: {gain:+.1%} pictures/s, p99 {last[0].p99_ms:.0f} ms to "
        f"{last[-1].p99_ms:.0f} ms\n\n{lines}",
        ok=within and (not busy or args.force),
        settings={
            "default": default._asdict(),
            "tuned": tuned._asdict(),
            "gain": gain,
            "section": lines,
            "clients": args.clients,
        },
        tables={"trials": Table(rows, list(rows[0]), caption)},
        notes=notes,
    )


def search(
    start: Setting,
    planned: Sequence[tuple[str, Sequence[Mapping[str, Any]]]],
    measure: Measure,
    max_p99_ms: float | None,
) -> tuple[Setting, list[Trial]]:
    """The best setting that was found, and everything that was measured.

    `planned` is what is varied, and the values that are tried for it; no limit is None.
    """
    best, trials = start, []
    for name, values in planned:
        found = measure(name, variants(best, values))
        trials += found
        best = choose(found, max_p99_ms).setting
    return best, trials


def choose(trials: Sequence[Trial], max_p99_ms: float | None) -> Trial:
    """The trial to go on with: of those within the limit the fastest; where none is, the quickest.

    The first is the one in force, which stays unless another is worth the change.
    """
    within = [trial for trial in trials if max_p99_ms is None or trial.p99_ms <= max_p99_ms]
    if not within:
        return min(trials, key=lambda trial: trial.p99_ms)
    fastest = max(within, key=lambda trial: trial.pictures_per_second)
    gain = fastest.pictures_per_second / trials[0].pictures_per_second - 1
    return trials[0] if trials[0] in within and gain < WORTH_IT else fastest


def side_by_side(
    args: argparse.Namespace,
    step: str,
    settings: Sequence[Setting],
    pictures: Sequence[Picture],
    done: Callable[[], object],
) -> list[Trial]:
    """Serve every setting, and load one server after the other, round after round."""
    trials = [Trial(step, setting, [], []) for setting in settings]
    with contextlib.ExitStack() as servers:
        asked = [servers.enter_context(served(args.repository, one, pictures)) for one in settings]
        for send in asked:
            closed_loop(send, 1, requests=len(pictures))
        for _ in range(args.rounds):
            for trial, send in zip(trials, asked, strict=True):
                with disturbance() as seen:
                    load = closed_loop(
                        send, args.clients, seconds=args.seconds, items=len(pictures)
                    )
                trial.meanwhile.append(seen)
                trial.runs.append(load)
                done()
    return trials


@contextlib.contextmanager
def served(repository: Path, setting: Setting, pictures: Sequence[Picture]) -> Iterator[Send]:
    """A server with the repository changed to a setting; gives what sends request n to it."""
    with tempfile.TemporaryDirectory(prefix="ppocr-tune-") as folder:
        variant = Path(folder) / "repository"
        shutil.copytree(repository, variant, copy_function=_link)
        configs = read_configs(variant)
        write_setting(configs, setting)
        for name, config in configs.items():
            path = variant / name / "config.pbtxt"
            path.unlink()  # it may be a link to the repository's own
            write_config(path, config)
        with (
            TritonServer(variant) as server,
            sender(f"grpc://{server.grpc_url}", pictures) as send,
        ):
            yield send


def _link(source: str, target: str) -> None:
    """Weights are not copied where they need not be."""
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)

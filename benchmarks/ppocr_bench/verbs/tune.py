"""Find how this machine is used best for these pictures, as a `triton:` section.

One thing after the other is varied, and what reads most within the latency limit is kept. Two
settings at a time are compared by time, so that a machine that others use too is refused.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import yaml
from tritonclient.grpc.model_config_pb2 import ModelInstanceGroup

from ppocr_bench.load import Send, closed_loop, in_turns
from ppocr_bench.machine import disturbance
from ppocr_bench.pictures import Picture, gather, picture_options
from ppocr_bench.record import BenchError, Result, Row, Run, Table, summarise
from ppocr_bench.target import REPOSITORY, sender
from ppocr_client.commands.argument_types import above_zero, at_least
from ppocr_converters.repository.configuration import calls_of
from ppocr_engine.config_pbtxt import read_config, write_config
from ppocr_engine.machine import available_cores
from ppocr_engine.spec import EngineSpec
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
TUNED = ("det", "rec", "recognize")
#: Widths that lines are padded to: fine, coarser, and few.
BUCKETS = ("96-640/8,672-3200/32", "96-3200/32", "128-3200/64", "160,320,640,960,1600,3200")
#: Lines in one call of the recogniser, on a CPU and on a GPU.
CPU_BATCHES, GPU_BATCHES = (1, 2, 4, 8), (8, 16, 32, 64)


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


class Setting(NamedTuple):
    """One way to use the machine; the names are keys of the `triton:` section.

    Instances are on each device; threads are of each instance on a CPU, 0 on a GPU.
    """

    det_instances: int
    det_threads: int
    rec_instances: int
    rec_threads: int
    rec_batch_size: int
    rec_buckets: str


def read_configs(repository: Path) -> dict[str, Any]:
    """The configurations that are tuned, by the model's name; BenchError where one is missing."""
    paths = {name: repository / name / "config.pbtxt" for name in TUNED}
    missing = [name for name, path in paths.items() if not path.is_file()]
    if missing:
        said = f"{repository} has no {', '.join(missing)}; build one with `ppocr-convert build`"
        raise BenchError(said)
    return {name: read_config(path) for name, path in paths.items()}


def read_setting(repository: Path) -> Setting:
    """The setting of a repository."""
    det, rec, recognize = read_configs(repository).values()
    return Setting(
        *(det.instance_group[0].count, threads_of(det)),
        *(rec.instance_group[0].count, threads_of(rec)),
        int(recognize.parameters["rec_batch_size"].string_value),
        recognize.parameters["rec_buckets"].string_value,
    )


@contextlib.contextmanager
def with_setting(repository: Path, setting: Setting) -> Iterator[Path]:
    """A copy of a repository for the time of the block, changed to a setting."""
    with tempfile.TemporaryDirectory(prefix="ppocr-tune-") as folder:
        variant = shutil.copytree(repository, Path(folder) / "repository")
        configs = read_configs(variant)
        shares = {"det": setting[:2], "rec": setting[2:4]}
        for name, (instances, threads) in shares.items():
            for group in configs[name].instance_group:
                group.count = instances
            spec = EngineSpec.read(configs[name])
            if threads and spec is not None:
                replace(spec, threads=threads).write(configs[name])
        parameters = configs["recognize"].parameters
        parameters["rec_batch_size"].string_value = str(setting.rec_batch_size)
        parameters["rec_buckets"].string_value = setting.rec_buckets
        if "rec_calls" in parameters:
            parameters["rec_calls"].string_value = calls_of(configs["rec"])
        for name, config in configs.items():
            write_config(variant / name / "config.pbtxt", config)
        yield variant


def threads_of(config: Any) -> int:
    """Threads of each instance of a network; 0 where its instances run on GPUs."""
    if any(group.kind == ModelInstanceGroup.KIND_GPU for group in config.instance_group):
        return 0
    spec = EngineSpec.read(config)
    return 1 if spec is None else max(1, spec.threads)


def steps(cores: int, setting: Setting) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    """What is changed one after the other, and the values that are tried for each.

    `cores` may be used by the server; the repository's setting says what is on a CPU or on GPUs.
    """
    for network, threads in (("det", setting.det_threads), ("rec", setting.rec_threads)):
        pairs = shares(cores) if threads else [(1, 0), (2, 0), (4, 0)]
        names = f"{network}_instances", f"{network}_threads"
        yield f"{network} instances and threads", [dict(zip(names, p, strict=True)) for p in pairs]
    batches = CPU_BATCHES if setting.rec_threads else GPU_BATCHES
    yield "lines in a call", [{"rec_batch_size": size} for size in batches]
    yield "widths", [{"rec_buckets": widths} for widths in BUCKETS]


def shares(cores: int) -> list[tuple[int, int]]:
    """Instances and threads of each that a CPU's cores can be shared out in.

    One thread for each core in all, in every way that leaves no core over; and as many instances
    as cores with two threads each, which shortens what a single client waits for.
    """
    even = [(count, cores // count) for count in range(cores, 0, -1) if cores % count == 0]
    return [*even, (cores, 2)] if cores > 1 else even


def section(setting: Setting, default: Setting) -> str:
    """The `triton:` section that makes a default to the setting."""
    pairs = zip(Setting._fields, setting, default, strict=True)
    changed = {key: value for key, value, other in pairs if value != other}
    if not changed:
        return "# the defaults are the fastest that was found"
    return yaml.safe_dump({"triton": changed}, sort_keys=False).rstrip()

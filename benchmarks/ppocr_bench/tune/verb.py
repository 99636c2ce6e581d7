"""tune: find how this machine is used best for these pictures, as a `triton:` section."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from ppocr_bench.arguments import at_least, positive
from ppocr_bench.errors import BenchError
from ppocr_bench.machine import describe, describe_lines
from ppocr_bench.peers.load import keep_busy
from ppocr_bench.peers.result import percentile
from ppocr_bench.pictures import Picture, add_picture_arguments, gather
from ppocr_bench.report import table
from ppocr_bench.target import DEFAULT_REPOSITORY
from ppocr_bench.tune.search import Trial, search
from ppocr_bench.tune.setting import Setting, read_setting, section, steps, write_setting
from ppocr_engine.machine import available_cores

Ask = Callable[[bytes], object]

TUNED = ("det", "rec", "recognize")
TIMEOUT = 300.0  # seconds for one answer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this verb."""
    parser.add_argument(
        "--repository",
        type=Path,
        default=DEFAULT_REPOSITORY,
        metavar="DIR",
        help="the built model repository to start from (default: %(default)s)",
    )
    add_picture_arguments(parser, pages=2)
    parser.add_argument(
        "--clients",
        type=at_least(1),
        default=4,
        help="that ask at the same time (default: %(default)s)",
    )
    parser.add_argument(
        "--max-p99-ms",
        type=positive,
        metavar="MS",
        help="the latency limit: what 99 of 100 requests must be answered in",
    )
    parser.add_argument(
        "--seconds",
        type=positive,
        default=5.0,
        help="of each round, at least (default: %(default)g)",
    )
    parser.add_argument(
        "--rounds", type=at_least(1), default=3, help="of each setting (default: %(default)s)"
    )
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the section here too")


@dataclass(frozen=True)
class Tuned:
    """The result.

    Attributes:
        machine: what it was measured on.
        clients: how many asked at the same time.
        max_p99_ms: the latency limit, None for none.
        default: the repository's own setting.
        tuned: the best that was found.
        trials: everything that was measured, in order.
        last: the default and the tuned setting measured side by side at the end; only the
            default where nothing better was found.
    """

    machine: dict[str, Any]
    clients: int
    max_p99_ms: float | None
    default: Setting
    tuned: Setting
    trials: list[Trial]
    last: list[Trial]

    @property
    def gain(self) -> float:
        """Of the tuned setting over the default, as a share: the median over the rounds."""
        first, last = self.last[0].rounds, self.last[-1].rounds
        return median(b / a for a, b in zip(first, last, strict=True)) - 1

    @property
    def ok(self) -> bool:
        """Whether the latency limit is kept."""
        return self.max_p99_ms is None or self.last[-1].p99_ms <= self.max_p99_ms

    def section(self) -> list[str]:
        """Lines for config.yml."""
        return section(self.tuned, self.default)

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        return {**asdict(self), "gain": self.gain, "section": "\n".join(self.section())}

    def lines(self) -> list[str]:
        """What was tried, the section, and the gain."""
        rows = [
            [
                trial.step,
                ", ".join(str(value) for value in asdict(trial.setting).values()),
                f"{trial.pictures_per_second:.2f}",
                f"{trial.p99_ms:.0f}",
            ]
            for trial in [*self.trials, *self.last]
        ]
        kept = "" if self.ok else f"; no setting was found that keeps {self.max_p99_ms:g} ms"
        return [
            *describe_lines(self.machine),
            f"settings are {', '.join(asdict(self.default))}; {self.clients} clients",
            *table(["step", "setting", "pictures/s", "p99 ms"], rows),
            "",
            *self.section(),
            "",
            f"gain over the default: {self.gain:+.1%} pictures/s, p99 "
            f"{self.last[0].p99_ms:.0f} ms to {self.last[-1].p99_ms:.0f} ms{kept}",
        ]


def run(args: argparse.Namespace) -> Tuned:
    """Vary one thing after the other, and measure the winner beside the default again.

    Raises:
        BenchError: the repository is not a built one.
        ServerError: a server did not start.
    """
    from tqdm import tqdm

    configs = read_configs(args.repository)
    default = read_setting(configs)
    cores = available_cores()
    pictures = gather(args)
    planned = list(steps(cores, default))
    longest = sum(len(values) for _, values in planned) + 2 + len(planned)
    with tqdm(total=longest * args.rounds, unit="round", disable=None) as bar:

        def measure(step: str, settings: Sequence[Setting]) -> list[Trial]:
            bar.set_description(step)
            return side_by_side(args, step, settings, pictures, bar)

        tuned, trials = search(default, planned, measure, args.max_p99_ms)
        last = measure("in the end", list(dict.fromkeys([default, tuned])))
    result = Tuned(describe(), args.clients, args.max_p99_ms, default, tuned, trials, last)
    if args.write is not None:
        args.write.write_text("\n".join(result.section()) + "\n", encoding="utf-8")
    return result


def read_configs(repository: Path) -> dict[str, Any]:
    """The configurations that are tuned, by the model's name.

    Raises:
        BenchError: one is not there.
    """
    from ppocr_engine.config_pbtxt import read_config

    missing = [name for name in TUNED if not (repository / name / "config.pbtxt").is_file()]
    if missing:
        raise BenchError(
            f"{repository} has no {', '.join(missing)}; build one with `ppocr-convert build`"
        )
    return {name: read_config(repository / name / "config.pbtxt") for name in TUNED}


def side_by_side(
    args: argparse.Namespace,
    step: str,
    settings: Sequence[Setting],
    pictures: Sequence[Picture],
    bar: Any,
) -> list[Trial]:
    """Serve every setting, and load one server after the other, round after round."""
    rounds: list[list[float]] = [[] for _ in settings]
    times: list[list[float]] = [[] for _ in settings]
    with contextlib.ExitStack() as servers:
        asked = [servers.enter_context(served(args.repository, one)) for one in settings]
        for ask in asked:
            for picture in pictures:
                ask(picture.data)
        for _ in range(args.rounds):
            for index, ask in enumerate(asked):
                found = keep_busy(
                    partial(_ask_for, ask, pictures), len(pictures), args.clients, args.seconds
                )
                rounds[index].append(found.per_second)
                times[index] += [time for taken in found.latencies for time in taken]
                bar.update()
    return [
        Trial(step, setting, rounds[index], percentile(times[index], 99) * 1e3)
        for index, setting in enumerate(settings)
    ]


def _ask_for(ask: Ask, pictures: Sequence[Picture], number: int) -> None:
    ask(pictures[number].data)


@contextlib.contextmanager
def served(repository: Path, setting: Setting) -> Iterator[Ask]:
    """A server with the repository changed to a setting; gives a function that reads a picture."""
    import numpy as np

    from ppocr_client.transport.base import Infer, connect, parse_url
    from ppocr_engine.config_pbtxt import write_config
    from ppocr_server.tritonserver.server import TritonServer

    with tempfile.TemporaryDirectory(prefix="ppocr-tune-") as folder:
        variant = Path(folder) / "repository"
        shutil.copytree(repository, variant, copy_function=_link)
        configs = read_configs(variant)
        write_setting(configs, setting)
        for name, config in configs.items():
            path = variant / name / "config.pbtxt"
            path.unlink()  # it may be a link to the repository's own
            write_config(path, config)
        with TritonServer(variant) as server:
            transport = connect(parse_url(f"grpc://{server.grpc_url}"))
            try:
                yield lambda data: transport.send(
                    Infer("ocr", {"IMAGE": np.array([data], np.object_)}, {}), TIMEOUT
                )
            finally:
                transport.close()


def _link(source: str, target: str) -> None:
    """Weights are not copied where they need not be."""
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)

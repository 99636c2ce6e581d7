"""The compiled networks of a repository run back to back by their plain engine, nothing around.

This is the least that a picture can cost on this machine with this engine and precision: the very
tensors that the server's steps make of the picture, and nothing else. Engine, precision and threads
are what the repository's configuration names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ppocr_bench.record import BenchError
from ppocr_converters.repository.configuration import served_pipeline
from ppocr_engine.config_pbtxt import instance_count, read_config
from ppocr_engine.spec import EngineSpec
from ppocr_pipeline.decode import decode_image
from ppocr_pipeline.pipeline import Line

Feed = Mapping[str, np.ndarray]
#: Each call of a network, in the order of the steps: its name, and what it is fed.
Work = Sequence[tuple[str, Feed]]
ENGINES = ("onnxruntime", "openvino")
BOTH = ("det", "rec")


class Setting(NamedTuple):
    """How a repository serves one network: the file, by which engine, how often at a time."""

    weights: Path
    spec: EngineSpec
    instances: int

    def __str__(self) -> str:
        return f"{self.spec}, {self.instances} instances of {self.spec.threads} threads"


def read_setting(repository: Path, name: str, *, on_cpu: bool = False) -> Setting:
    """How a repository serves a network; with `on_cpu`, how it is run where there is no GPU.

    Raises:
        BenchError: the engine cannot be run alone here.
    """
    path = repository / name / "config.pbtxt"
    config = read_config(path)
    spec = EngineSpec.read(config)
    if spec is not None and on_cpu:
        spec = replace(spec, device="cpu", accelerators=(), threads=1)
    if spec is None or spec.backend not in ENGINES or spec.accelerators or spec.device == "gpu":
        raise BenchError(
            f"{path} has backend {config.backend!r}; the bare networks are run on the CPU by "
            f"{' or '.join(ENGINES)} alone: name the repository of a cpu profile with --repository"
        )
    return Setting(repository / name / "1" / spec.file_name, spec, instance_count(config))


def describe(repository: Path) -> str:
    """Engine, precision, instances and threads of both networks."""
    return ", ".join(f"{name}: {read_setting(repository, name)}" for name in BOTH)


def lines_of(work: Work) -> int:
    """Rows of all batches of the recogniser together."""
    return sum(len(feed["CROPS"]) for name, feed in work if name == "rec")


class Networks:
    """Networks of a built repository with the threads and instances of its configuration.

    Attributes:
        settings: of each network, by name.
        sessions: run them.
    """

    def __init__(
        self,
        repository: Path,
        names: Sequence[str] = BOTH,
        *,
        single: bool = False,
        on_cpu: bool = False,
    ) -> None:
        """Load them; `single` with one thread and one instance, whatever the configuration says."""
        settings = {name: read_setting(repository, name, on_cpu=on_cpu) for name in names}
        self.settings = {
            name: one._replace(spec=replace(one.spec, threads=1), instances=1) if single else one
            for name, one in settings.items()
        }
        self.sessions = {
            name: one.spec.open(one.weights, streams=one.instances)
            for name, one in self.settings.items()
        }
        self._repository = repository
        self._pool = ThreadPoolExecutor(self.settings["rec"].instances)

    def run(self, work: Work) -> None:
        """One network after the other, the recogniser as often at a time as it has instances."""
        for name, calls in groupby(work, itemgetter(0)):
            at_once = self._pool.map if name == "rec" else map
            list(at_once(self.sessions[name], [feed for _, feed in calls]))

    def read(
        self, data: bytes, options: Mapping[str, Any] | None = None
    ) -> tuple[list[Line], Work]:
        """What is on an encoded picture, and the calls that the steps make of it."""
        work: list[tuple[str, Feed]] = []

        def recorded(name: str) -> Callable[[Feed], Sequence[np.ndarray]]:
            def run(feed: Feed) -> Sequence[np.ndarray]:
                work.append((name, feed))
                return self.sessions[name](feed)

            return run

        pipeline = served_pipeline(
            self._repository, {name: recorded(name) for name in self.sessions}
        )
        return pipeline.read(decode_image(data), options), work

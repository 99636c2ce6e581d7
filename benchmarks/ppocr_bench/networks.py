"""The two compiled networks run back to back by their plain engine, with nothing around them.

This is the least that a picture can cost on this machine with this engine and precision: the very
tensors that the server's steps make of the picture, and nothing else. Engine, precision and threads
are what the repository's configuration names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ppocr_bench.errors import BenchError
from ppocr_converters.repository.served import served_pipeline
from ppocr_engine.config_pbtxt import instance_count, read_config
from ppocr_engine.spec import EngineSpec
from ppocr_pipeline.decode import decode_image

Feed = Mapping[str, np.ndarray]
ENGINES = ("onnxruntime", "openvino")


class Work(NamedTuple):
    """What the networks are fed for one picture: each once for `det`, for each batch for `rec`."""

    det: list[Feed]
    rec: list[Feed]

    @property
    def lines(self) -> int:
        """Rows of all batches together."""
        return sum(len(feed["CROPS"]) for feed in self.rec)


class Setting(NamedTuple):
    """How a repository serves one network: the ONNX file, by which engine, how often at a time."""

    weights: Path
    spec: EngineSpec
    instances: int

    def __str__(self) -> str:
        return f"{self.spec}, {self.instances} instances of {self.spec.threads} threads"


def read_setting(repository: Path, name: str) -> Setting:
    """How a repository serves a network; BenchError for an engine that cannot be run alone here."""
    path = repository / name / "config.pbtxt"
    config = read_config(path)
    spec = EngineSpec.read(config)
    if spec is None or spec.backend not in ENGINES or spec.accelerators or spec.device == "gpu":
        raise BenchError(
            f"{path} has backend {config.backend!r}; the bare networks are run on the CPU by "
            f"{' or '.join(ENGINES)} alone: name the repository of a cpu profile with --repository"
        )
    return Setting(repository / name / "1" / spec.file_name, spec, instance_count(config))


def read_settings(repository: Path) -> dict[str, Setting]:
    """How a repository serves both networks, by name."""
    return {name: read_setting(repository, name) for name in ("det", "rec")}


def describe(repository: Path) -> str:
    """Engine, precision, instances and threads of each network."""
    return ", ".join(f"{name}: {one}" for name, one in read_settings(repository).items())


class Networks:
    """The networks of a built repository with the threads and instances of its configuration.

    Attributes:
        settings: of each network, by name.
        det, rec: run them.
    """

    def __init__(self, repository: Path, *, single: bool = False) -> None:
        """Load both; `single` with one thread and one instance, whatever the configuration says."""
        self.settings = {
            name: one._replace(spec=replace(one.spec, threads=1), instances=1) if single else one
            for name, one in read_settings(repository).items()
        }
        self.det, self.rec = (
            one.spec.open(one.weights, streams=one.instances) for one in self.settings.values()
        )
        self._repository = repository
        self._pool = ThreadPoolExecutor(self.settings["rec"].instances)

    def run(self, work: Work) -> None:
        """The detector, then as many batches at the same time as the server has instances."""
        list(map(self.det, work.det))
        list(self._pool.map(self.rec, work.rec))

    def work_of(self, data: bytes, options: Mapping[str, Any] | None = None) -> Work:
        """The tensors that the steps make of an encoded picture, in the order they are sent."""
        work = Work([], [])

        def det(feed: Feed) -> Sequence[np.ndarray]:
            work.det.append(feed)
            return self.det(feed)

        def rec(feed: Feed) -> Sequence[np.ndarray]:
            work.rec.append(feed)
            return self.rec(feed)

        pipeline = served_pipeline(self._repository, {"det": det, "rec": rec})
        pipeline.read(decode_image(data), options)
        return work

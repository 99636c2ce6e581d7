"""The two compiled networks run back to back by their plain engine, with nothing around them.

This is the least that a picture can cost on this machine with this engine and precision: the very
tensors that the server's steps make of the picture, and nothing else. Engine, precision and threads
are what the repository's configuration names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ppocr_bench.errors import BenchError
from ppocr_bench.pictures import Picture
from ppocr_converters.repository.served import served_pipeline
from ppocr_engine.config_pbtxt import instance_count, read_config
from ppocr_engine.spec import EngineSpec
from ppocr_pipeline.decode import decode_image
from ppocr_pipeline.pipeline import Pipeline

Feed = Mapping[str, np.ndarray]
ENGINES = ("onnxruntime", "openvino")


@dataclass(frozen=True)
class Work:
    """What the networks are fed for one picture: `det` once, `rec` once for each batch."""

    det: dict[str, np.ndarray]
    rec: list[Feed]

    @property
    def lines(self) -> int:
        """Rows of all batches together."""
        return sum(len(feed["CROPS"]) for feed in self.rec)


@dataclass(frozen=True)
class Setting:
    """How a repository serves one network.

    Attributes:
        weights: the ONNX file.
        spec: the engine, its precision and the threads of one inference.
        instances: inferences at the same time.
    """

    weights: Path
    spec: EngineSpec
    instances: int

    def __str__(self) -> str:
        return (
            f"{self.spec.backend} {self.spec.precision}, {self.instances} instances of "
            f"{self.spec.threads} threads"
        )


def read_setting(repository: Path, name: str) -> Setting:
    """How the repository serves the network `name`.

    Raises:
        BenchError: by an engine that this benchmark cannot run on its own.
    """
    path = repository / name / "config.pbtxt"
    config = read_config(path)
    spec = EngineSpec.read(config)
    if spec is None or spec.backend not in ENGINES or spec.accelerators or spec.device == "gpu":
        raise BenchError(
            f"{path} has backend {config.backend!r}"
            f"{' with execution accelerators' if spec and spec.accelerators else ''}; the bare "
            f"networks are run by {' or '.join(ENGINES)} alone, on the CPU: name the repository of "
            "a cpu profile with --repository"
        )
    return Setting(repository / name / "1" / spec.file_name, spec, instance_count(config))


class Networks:
    """The networks of a built repository with the threads and instances of its configuration.

    Attributes:
        settings: of each network, by name.
        det, rec: run them.
    """

    def __init__(self, repository: Path, *, single: bool = False) -> None:
        """Load both.

        Args:
            repository: as `ppocr-convert build` writes it.
            single: with one thread and one instance, whatever the configuration says.
        """
        self.repository = repository
        found = {name: read_setting(repository, name) for name in ("det", "rec")}
        self.settings = {
            name: Setting(one.weights, replace(one.spec, threads=1), 1) if single else one
            for name, one in found.items()
        }
        self.det, self.rec = (
            one.spec.open(one.weights, streams=one.instances) for one in self.settings.values()
        )
        self.pool = ThreadPoolExecutor(self.settings["rec"].instances)

    @property
    def threads(self) -> dict[str, int]:
        """Of one inference, by network."""
        return {name: setting.spec.threads for name, setting in self.settings.items()}

    @property
    def instances(self) -> dict[str, int]:
        """Inferences at the same time, by network."""
        return {name: setting.instances for name, setting in self.settings.items()}

    def describe(self) -> str:
        """Engine, precision, instances and threads of each network."""
        return ", ".join(f"{name}: {setting}" for name, setting in self.settings.items())

    def one_by_one(self, work: Work) -> None:
        """The detector, then one batch of the recogniser after the other."""
        self.det(work.det)
        for feed in work.rec:
            self.rec(feed)

    def as_served(self, work: Work) -> None:
        """The detector, then as many batches at the same time as the server has instances."""
        self.det(work.det)
        self.rec_as_served(work)

    def rec_as_served(self, work: Work) -> None:
        """As many batches of the recogniser at the same time as the server has instances."""
        list(self.pool.map(self.rec, work.rec))

    def work_of(self, picture: Picture) -> Work:
        """The tensors that the steps make of a picture, in the order in which they are sent."""
        work = Work({}, [])
        self.pipeline(work).read(decode_image(picture.data))
        return work

    def pipeline(self, work: Work) -> Pipeline:
        """The served pipeline around these networks; whatever they are fed is put into `work`."""

        def det(feed: Feed) -> Sequence[np.ndarray]:
            work.det.update(feed)
            return self.det(feed)

        def rec(feed: Feed) -> Sequence[np.ndarray]:
            work.rec.append(feed)
            return self.rec(feed)

        return served_pipeline(self.repository, {"det": det, "rec": rec})

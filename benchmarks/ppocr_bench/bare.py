"""The two compiled networks run back to back by their plain engine, with nothing around them.

This is the least that a picture can cost on this machine with this engine and precision: the very
tensors that the server's steps make of the picture, and nothing else. Engine, precision and threads
are what the repository's configuration names.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ppocr_bench.errors import BenchError
from ppocr_bench.pictures import Picture
from ppocr_converters.proof.reading import Reader
from ppocr_converters.repository.pbtxt import read_config

Feed = dict[str, np.ndarray]
#: Inputs by name to the outputs in the order of the graph; several threads may call it.
Run = Callable[[Feed], Sequence[np.ndarray]]
ENGINES = ("onnxruntime", "openvino")


@dataclass(frozen=True)
class Work:
    """What the networks are fed for one picture: `det` once, `rec` once for each batch."""

    det: Feed
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
        engine: one of ENGINES.
        precision: "fp32" or "bf16".
        threads: of one inference.
        instances: inferences at the same time.
    """

    weights: Path
    engine: str
    precision: str
    threads: int
    instances: int

    def __str__(self) -> str:
        return (
            f"{self.engine} {self.precision}, {self.instances} instances of {self.threads} threads"
        )


def read_setting(repository: Path, name: str) -> Setting:
    """How the repository serves the network `name`.

    Raises:
        BenchError: by an engine that this benchmark cannot run on its own.
    """
    config = read_config(repository / name / "config.pbtxt")
    stored = {key: value.string_value for key, value in config.parameters.items()}
    accelerators = config.optimization.execution_accelerators
    if config.backend not in ENGINES or any(accelerators.ListFields()):
        raise BenchError(
            f"{repository / name / 'config.pbtxt'} has backend {config.backend!r}"
            f"{' with execution accelerators' if any(accelerators.ListFields()) else ''}; the bare "
            f"networks are run by {' or '.join(ENGINES)} alone, on the CPU: name the repository of "
            "a cpu profile with --repository"
        )
    instances = sum(group.count for group in config.instance_group)
    if config.backend == "openvino":
        cores = len(os.sched_getaffinity(0))
        streams = stored.get("NUM_STREAMS", "")
        parts = int(streams) if streams.isdigit() else instances
        threads = max(1, int(stored.get("INFERENCE_NUM_THREADS", cores)) // parts)
    else:
        threads = int(stored["intra_op_thread_count"])
    return Setting(
        repository / name / "1" / (config.default_model_filename or "model.onnx"),
        config.backend,
        "bf16" if stored.get("HINT_BF16") == "YES" else "fp32",
        threads,
        instances,
    )


def open_network(setting: Setting) -> Run:
    """Load a network with as many threads and simultaneous runs as the setting says."""
    if setting.engine == "openvino":
        return _open_openvino(setting)
    return _open_onnxruntime(setting)


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
        alone = {"threads": 1, "instances": 1} if single else {}
        self.settings = {
            name: Setting(**{**vars(setting), **alone}) for name, setting in found.items()
        }
        self.det, self.rec = (open_network(setting) for setting in self.settings.values())
        self.pool = ThreadPoolExecutor(self.settings["rec"].instances)

    @property
    def threads(self) -> dict[str, int]:
        """Of one inference, by network."""
        return {name: setting.threads for name, setting in self.settings.items()}

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
        reader = self.reader(work)
        reader.read(reader.before.image.decode_image(picture.data))
        return work

    def reader(self, work: Work) -> Reader:
        """The steps around these networks; whatever they are fed is put into `work`."""

        def detector(pixels: np.ndarray) -> Any:
            work.det["DET_INPUT"] = pixels
            return self.det(work.det)[0]

        def recogniser(crops: np.ndarray, widths: np.ndarray) -> Any:
            work.rec.append({"CROPS": crops, "WIDTHS": widths})
            return self.rec(work.rec[-1])

        dictionary = (self.repository / "recognize/1/dictionary.txt").read_bytes().decode()
        characters = dictionary.removesuffix("\n").split("\n")
        config = read_config(self.repository / "recognize" / "config.pbtxt")
        height = int(config.parameters["rec_height"].string_value)
        return Reader(self.repository, detector, recogniser, characters, height)


def _open_onnxruntime(setting: Setting) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = setting.threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(setting.weights), options, providers=["CPUExecutionProvider"]
    )
    return lambda feed: session.run(None, feed)


def _open_openvino(setting: Setting) -> Run:
    import openvino

    compiled = openvino.Core().compile_model(
        str(setting.weights),
        "CPU",
        {
            "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[setting.precision],
            "NUM_STREAMS": setting.instances,
            "INFERENCE_NUM_THREADS": setting.instances * setting.threads,
            # Several processes would all be held to the same first core.
            "ENABLE_CPU_PINNING": False,
        },
    )
    own = threading.local()

    def run(feed: Feed) -> Sequence[np.ndarray]:
        if not hasattr(own, "request"):
            own.request = compiled.create_infer_request()
        results = own.request.infer(feed, share_inputs=True)
        return [results[output] for output in compiled.outputs]

    return run

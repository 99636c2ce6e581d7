"""`EngineSpec`: the engine of a network, read from its config.pbtxt, written into it, opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ppocr_engine.config_pbtxt import config_json, set_parameter
from ppocr_engine.errors import EngineError
from ppocr_engine.parameters import PARAMETERS

if TYPE_CHECKING:  # it needs NumPy, which --help does without
    from ppocr_engine.session import Session

Backend = Literal["onnxruntime", "openvino", "tensorrt"]
Device = Literal["cpu", "gpu"]
Precision = Literal["fp32", "bf16"]
ExecutionMode = Literal["sequential", "parallel"]

#: The file that each backend loads from a version's folder unless another one is named.
DEFAULT_FILES = {
    "onnxruntime": "model.onnx",
    "openvino": "model.xml",
    "tensorrt": "model.plan",
    "python": "model.py",
}
#: Level of `optimization.graph` that leaves the graph as it is written.
GRAPH_AS_WRITTEN = 2


@dataclass(frozen=True)
class Accelerator:
    """An execution provider that runs a network in place of ONNX Runtime's own kernels."""

    device: Device
    name: str
    parameters: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class EngineSpec:
    """What runs a network, with the meaning that Triton's C++ backends give each field.

    Attributes:
        precision: of the arithmetic where it is not that of the file.
        threads: of one run; 0 leaves the number to the engine.
        device: where the instances run.
        device_id: the GPU of one instance.
        file_name: in the version's folder.
        graph_level: of ONNX Runtime's optimisation as Triton numbers it: -1 basic, 1 extended,
            2 off, anything else all.
        accelerators: most wanted first.
        parameters: the engine's other entries of `parameters`.
        custom_ops: libraries of custom operators.
        shapes: that OpenVINO gives the inputs in place of the graph's (RESHAPE_IO_LAYERS).
        notes: what the configuration asks for without effect, a sentence each.
    """

    backend: Backend = "onnxruntime"
    precision: Precision = "fp32"
    threads: int = 0
    device: Device = "cpu"
    device_id: int = 0
    file_name: str = "model.onnx"
    graph_level: int = 0
    execution_mode: ExecutionMode = "sequential"
    accelerators: tuple[Accelerator, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict, hash=False)
    custom_ops: tuple[str, ...] = ()
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict, hash=False)
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        """The name in `ENGINES`; "tensorrt" for a native engine too."""
        if self.device == "gpu" and self.backend == "onnxruntime":
            wanted = [one.name for one in self.accelerators]
            return "tensorrt" if "tensorrt" in wanted else "cuda"
        return self.backend if self.precision == "fp32" else f"{self.backend}-{self.precision}"

    @classmethod
    def read(cls, config: Any) -> EngineSpec | None:
        """The engine that a `ModelConfig`, or its JSON form, names; None of steps and ensembles.

        Raises:
            EngineError: a value is not allowed; names it and what is.
        """
        from ppocr_engine.reader import read_fields

        return read_fields(config if isinstance(config, Mapping) else config_json(config))

    def write(self, config: Any) -> None:
        """Write backend, file, `parameters` and optimisation into a network's `ModelConfig`.

        All other fields stay, and entries of `parameters` that no engine reads. Triton's OpenVINO
        backend counts the threads of all instances together; each instance is one of its streams.
        """
        for name in [name for names in PARAMETERS.values() for name in names]:
            config.parameters.pop(name, None)
        config.backend = self.backend
        default = self.file_name == DEFAULT_FILES[self.backend]
        config.default_model_filename = "" if default else self.file_name
        streams = sum(group.count for group in config.instance_group) or 1
        for name, value in {**self._own_parameters(streams), **self.parameters}.items():
            set_parameter(config, name, value)
        _write_optimization(config, self)

    def open(self, path: Path, *, streams: int = 1) -> Session:
        """Load a network; OpenVINO provides threads for so many streams at the same time.

        Raises:
            EngineError: the engine is not installed, or refuses the file or a setting.
        """
        if self.backend == "onnxruntime":
            from ppocr_engine.onnxruntime_session import open_onnxruntime

            return open_onnxruntime(path, self)
        if self.backend == "openvino":
            from ppocr_engine.openvino_session import open_openvino

            return open_openvino(path, self, streams=streams)
        raise EngineError(f"{path}: native TensorRT engines are run by Triton alone")

    def _own_parameters(self, streams: int) -> Mapping[str, object]:
        """What `threads`, `precision` and `execution_mode` are in `parameters`."""
        found: dict[str, object] = {}
        if self.backend == "onnxruntime":
            if self.threads:
                found = {"intra_op_thread_count": self.threads, "inter_op_thread_count": 1}
            if self.execution_mode == "parallel":
                found["execution_mode"] = 1
        if self.backend == "openvino":
            if self.threads:
                found = {"NUM_STREAMS": streams, "INFERENCE_NUM_THREADS": streams * self.threads}
            if self.precision == "bf16":
                found["HINT_BF16"] = "YES"
        return found


def _write_optimization(config: Any, spec: EngineSpec) -> None:
    """Write graph level and accelerators, which are ONNX Runtime's alone."""
    if config.HasField("optimization"):
        config.optimization.ClearField("graph")
        config.optimization.ClearField("execution_accelerators")
    if spec.backend != "onnxruntime":
        return
    if spec.graph_level:
        config.optimization.graph.level = spec.graph_level
    for one in spec.accelerators:
        stored = config.optimization.execution_accelerators
        added = getattr(stored, f"{one.device}_execution_accelerator").add()
        added.name = one.name
        added.parameters.update(one.parameters)


ONNXRUNTIME = EngineSpec()
OPENVINO = EngineSpec("openvino")
OPENVINO_BF16 = EngineSpec("openvino", "bf16")
CUDA = EngineSpec(device="gpu")
TENSORRT = EngineSpec(device="gpu", accelerators=(Accelerator("gpu", "tensorrt"),))
#: What a compiled network can be run by, by the name that options and reports use; those on a CPU
#: first, the nearest to the reference first.
ENGINES = {str(spec): spec for spec in (ONNXRUNTIME, OPENVINO, OPENVINO_BF16, CUDA, TENSORRT)}


def engine_named(name: str, threads: int = 0) -> EngineSpec:
    """One of `ENGINES` with so many threads.

    Raises:
        EngineError: there is none of that name.
    """
    if name not in ENGINES:
        raise EngineError(f"no engine is called {name!r}; allowed: {', '.join(ENGINES)}")
    return replace(ENGINES[name], threads=threads)

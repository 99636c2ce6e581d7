"""What runs a network on a CPU: an engine and its precision, as config.pbtxt says it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

EngineName = Literal["onnxruntime", "openvino"]
Arithmetic = Literal["fp32", "bf16"]

#: Parameters that mean something to ONNX Runtime alone.
OF_ONNXRUNTIME = (
    "intra_op_thread_count",
    "inter_op_thread_count",
    "enable_mem_arena",
    "enable_mem_pattern",
)

#: Lines of one width in a call of the recogniser, of engines that answer the same, bit for bit, in
#: any batch. A page of 40 lines cost 20 to 26 % less processor time than with calls of one line.
#: ONNX Runtime gains nothing, and its answers differ by 1e-6.
LINES_IN_A_CALL = {"openvino": 4}


@dataclass(frozen=True)
class Engine:
    """An engine and the precision that it computes in, whatever the file's."""

    name: EngineName
    precision: Arithmetic = "fp32"

    def __str__(self) -> str:
        return self.name if self.precision == "fp32" else f"{self.name}-{self.precision}"


ONNXRUNTIME = Engine("onnxruntime")
OPENVINO = Engine("openvino")
OPENVINO_BF16 = Engine("openvino", "bf16")
#: All there are, the one nearest to the reference first.
ENGINES = (ONNXRUNTIME, OPENVINO, OPENVINO_BF16)


def set_engine(config: Any, engine: Engine, threads: int) -> None:
    """Write engine and threads into the `ModelConfig` of a network whose instances are set.

    Triton's OpenVINO backend counts the threads of all instances together; an instance is a stream.

    Args:
        config: of the network.
        engine: runs it.
        threads: of each instance, 0 leaves what the configuration has.
    """
    if engine.name == "onnxruntime":
        set_threads(config, threads)
        return
    config.backend, config.default_model_filename = engine.name, "model.onnx"
    for name in OF_ONNXRUNTIME:
        config.parameters.pop(name, None)
    config.optimization.ClearField("graph")
    streams = sum(group.count for group in config.instance_group)
    parameters = {"NUM_STREAMS": streams, "INFERENCE_NUM_THREADS": streams * max(1, threads)}
    for name, value in parameters.items():
        config.parameters[name].string_value = str(value)
    if engine.precision == "bf16":
        config.parameters["HINT_BF16"].string_value = "YES"


def set_threads(config: Any, threads: int) -> None:
    """Write the threads of an instance as ONNX Runtime reads them; its runs are sequential."""
    if threads:
        config.parameters["intra_op_thread_count"].string_value = str(threads)
        config.parameters["inter_op_thread_count"].string_value = "1"


def engine_of(config: Any) -> Engine | None:
    """The engine that a `ModelConfig` names, None of a step or of a native TensorRT engine."""
    if config.backend == "openvino":
        bf16 = config.parameters["HINT_BF16"].string_value.upper() == "YES"
        return OPENVINO_BF16 if bf16 else OPENVINO
    return ONNXRUNTIME if config.backend == "onnxruntime" else None


def threads_of(config: Any) -> int:
    """The threads of each instance that a `ModelConfig` names, 1 where it names none."""
    stored = {name: value.string_value for name, value in config.parameters.items()}
    if config.backend == "openvino":
        streams = int(stored.get("NUM_STREAMS", "1"))
        return int(stored.get("INFERENCE_NUM_THREADS", "1")) // streams
    return int(stored.get("intra_op_thread_count") or "1")

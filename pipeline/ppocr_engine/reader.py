"""The fields of a configuration, translated into an `EngineSpec` and checked.

Fields are those of Triton's `ModelConfig` in JSON, in which numbers of 64 bits are texts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ppocr_engine.errors import EngineError
from ppocr_engine.machine import available_cores
from ppocr_engine.parameters import (
    BOOLEAN,
    CUDA_BOOLEANS,
    CUDA_OPTIONS,
    PARAMETERS,
    TENSORRT_OPTIONS,
    check,
)
from ppocr_engine.session import ANY
from ppocr_engine.spec import DEFAULT_FILES, Accelerator, Device, EngineSpec, ExecutionMode

Fields = Mapping[str, Any]

BACKEND_OF_PLATFORM = {"onnxruntime_onnx": "onnxruntime", "tensorrt_plan": "tensorrt"}
EXECUTION_MODES: Mapping[str, ExecutionMode] = {"0": "sequential", "1": "parallel"}
STREAM_WORDS = ("AUTO", "NUMA")


def backend_of(fields: Fields) -> str:
    """The backend that Triton loads a model with, "" where the configuration names none."""
    backend: str = fields.get("backend") or BACKEND_OF_PLATFORM.get(fields.get("platform", ""), "")
    return backend


def read_fields(fields: Fields) -> EngineSpec | None:
    """See `EngineSpec.read`."""
    backend = backend_of(fields)
    return _READERS[backend](fields, _parameters(fields, backend)) if backend in _READERS else None


def _parameters(fields: Fields, backend: str) -> dict[str, str]:
    """The entries of `parameters` that a backend reads, checked."""
    stored = {
        key: value.get("string_value", "") for key, value in fields.get("parameters", {}).items()
    }
    known = PARAMETERS[backend]
    return {
        name: check(f"parameter {name}", value, known[name])
        for name, value in stored.items()
        if name in known
    }


def _read_onnxruntime(fields: Fields, parameters: dict[str, str]) -> EngineSpec:
    optimization = fields.get("optimization", {})
    accelerators = _accelerators(optimization.get("execution_accelerators", {}))
    threads = max(0, int(parameters.pop("intra_op_thread_count", 0)))
    if parameters.get("inter_op_thread_count") == "1" and threads:
        del parameters["inter_op_thread_count"]  # what `write` adds to threads
    return EngineSpec(
        backend="onnxruntime",
        threads=threads,
        device="gpu" if "KIND_GPU" in _kinds(fields) else "cpu",
        file_name=fields.get("default_model_filename") or DEFAULT_FILES["onnxruntime"],
        graph_level=int(optimization.get("graph", {}).get("level", 0)),
        execution_mode=EXECUTION_MODES[parameters.pop("execution_mode", "0")],
        accelerators=accelerators,
        parameters=parameters,
        custom_ops=tuple(fields.get("model_operations", {}).get("op_library_filename", ())),
        notes=(*_onnxruntime_notes(parameters, accelerators), *_common_notes(fields)),
    )


def _accelerators(stored: Mapping[str, Any]) -> tuple[Accelerator, ...]:
    """The execution accelerators of a configuration.

    Raises:
        EngineError: one of them, or one of its parameters, is not known.
    """
    devices: tuple[tuple[Device, tuple[str, ...]], ...] = (
        ("gpu", ("tensorrt", "cuda")),
        ("cpu", ("openvino",)),
    )
    found = []
    for device, allowed in devices:
        for entry in stored.get(f"{device}_execution_accelerator", ()):
            name, parameters = entry["name"], dict(entry.get("parameters", {}))
            if name not in allowed:
                raise EngineError(
                    f"{device}_execution_accelerator '{name}' is not known; "
                    f"allowed: {', '.join(allowed)}"
                )
            if name == "tensorrt":
                parameters = _checked_tensorrt(parameters)
            for option in CUDA_BOOLEANS if name == "cuda" else ():
                if option in parameters:
                    check(f"cuda's {option}", parameters[option], BOOLEAN)
            found.append(Accelerator(device, name, parameters))
    return tuple(found)


def _checked_tensorrt(parameters: Mapping[str, str]) -> dict[str, str]:
    if unknown := [name for name in parameters if name not in TENSORRT_OPTIONS]:
        raise EngineError(
            f"'{unknown[0]}' is not a parameter of the tensorrt accelerator; "
            f"allowed: {', '.join(TENSORRT_OPTIONS)}"
        )
    return {
        name: check(f"tensorrt's {name}", value, TENSORRT_OPTIONS[name])
        for name, value in parameters.items()
    }


def _onnxruntime_notes(
    parameters: Mapping[str, str], accelerators: tuple[Accelerator, ...]
) -> list[str]:
    notes = []
    if parameters.get("share_session_between_instances") in ("1", "true"):
        notes.append("share_session_between_instances: instances are processes here")
    for one in accelerators:
        if one.name == "openvino" and one.parameters:
            notes.append("parameters of openvino: Triton's own backend does not pass them on")
        overwritten = CUDA_OPTIONS.keys() & one.parameters.keys() if one.name == "cuda" else ()
        for name in sorted(overwritten):
            notes.append(
                f"{name} of the cuda accelerator: the model's parameters win, set it there"
            )
    return notes


def _common_notes(fields: Fields) -> list[str]:
    if not any(fields.get("cc_model_filenames", {})):
        return []
    return ["cc_model_filenames: there are no compute capabilities to choose by here"]


def _read_openvino(fields: Fields, parameters: dict[str, str]) -> EngineSpec:
    for kind in sorted(_kinds(fields) - {"KIND_CPU", "KIND_AUTO"}):
        raise EngineError(
            f"instance_group kind is {kind}; the openvino backend runs on KIND_CPU only"
        )
    if any(fields.get("optimization", {}).get("execution_accelerators", {}).values()):
        raise EngineError(
            "execution_accelerators are of the onnxruntime backend; the openvino backend has none"
        )
    threads = _share_of_threads(parameters, fields)
    notes = [
        f"{name}: a batch has as many rows as its requests here"
        for name in ("SKIP_OV_DYNAMIC_BATCHSIZE", "ENABLE_BATCH_PADDING")
        if parameters.get(name, "").upper() == "YES"
    ]
    reshape = parameters.get("RESHAPE_IO_LAYERS", "").upper() == "YES"
    return EngineSpec(
        backend="openvino",
        precision="bf16" if parameters.pop("HINT_BF16", "") else "fp32",
        threads=threads,
        file_name=fields.get("default_model_filename") or DEFAULT_FILES["openvino"],
        parameters=parameters,
        shapes=declared_shapes(fields) if reshape else {},
        notes=(*notes, *_common_notes(fields)),
    )


def _share_of_threads(parameters: dict[str, str], fields: Fields) -> int:
    """An instance's part of the threads, at least 1; 0 where nothing parts them."""
    streams = parameters.pop("NUM_STREAMS", "").upper()
    if streams.isdigit() and int(streams) > 0:
        parts = int(streams)
    elif streams in ("", *STREAM_WORDS):
        groups = fields.get("instance_group", ())
        parts = sum(int(group.get("count", 1)) for group in groups) or 1
    else:
        words = " and ".join(STREAM_WORDS)
        raise EngineError(
            f"parameter NUM_STREAMS is '{streams}'; allowed: a number from 1, {words}"
        )
    threads = int(parameters.pop("INFERENCE_NUM_THREADS", 0))
    if threads == 0 and parts == 1:
        return 0
    return max(1, (threads or available_cores()) // parts)


def _read_tensorrt(fields: Fields, parameters: dict[str, str]) -> EngineSpec:
    file_name = fields.get("default_model_filename") or DEFAULT_FILES["tensorrt"]
    return EngineSpec("tensorrt", device="gpu", file_name=file_name, parameters=parameters)


def _kinds(fields: Fields) -> set[str]:
    return {group.get("kind", "KIND_AUTO") for group in fields.get("instance_group", ())}


def declared_shapes(fields: Fields) -> dict[str, tuple[int, ...]]:
    """The shapes of the inputs as a configuration declares them, the batch dimension included."""
    batch = (ANY,) if fields.get("max_batch_size", 0) > 0 else ()
    return {
        entry["name"]: (*batch, *map(int, entry.get("reshape", {}).get("shape", entry["dims"])))
        for entry in fields.get("input", ())
    }


_READERS: Mapping[str, Callable[[Fields, dict[str, str]], EngineSpec]] = {
    "onnxruntime": _read_onnxruntime,
    "openvino": _read_openvino,
    "tensorrt": _read_tensorrt,
}

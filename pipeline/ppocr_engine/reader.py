"""The fields of a configuration, translated into an `EngineSpec` and checked.

Fields are those of Triton's `ModelConfig` in JSON, in which numbers of 64 bits are texts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ppocr_engine.errors import EngineError
from ppocr_engine.machine import available_cores
from ppocr_engine.parameters import (
    CUDA_ACCELERATOR,
    CUDA_OPTIONS,
    CUDA_OVERWRITTEN,
    PARAMETERS,
    TENSORRT_OPTIONS,
    TEXT,
    UNKNOWN_ACCELERATOR,
    UNKNOWN_CUDA,
    UNKNOWN_TENSORRT,
    Kind,
    check,
    check_known,
    is_true,
)
from ppocr_engine.session import ANY
from ppocr_engine.spec import DEFAULT_FILES, Accelerator, Device, EngineSpec, ExecutionMode

Fields = Mapping[str, Any]

BACKEND_OF_PLATFORM = {"onnxruntime_onnx": "onnxruntime", "tensorrt_plan": "tensorrt"}
EXECUTION_MODES: Mapping[str, ExecutionMode] = {"0": "sequential", "1": "parallel"}
#: The accelerators of each device: their parameters, and what is said of any other one.
ACCELERATORS: Mapping[Device, Mapping[str, tuple[Mapping[str, Kind], str]]] = {
    "gpu": {
        "tensorrt": (TENSORRT_OPTIONS, UNKNOWN_TENSORRT),
        "cuda": (CUDA_ACCELERATOR, UNKNOWN_CUDA),
    },
    "cpu": {"openvino": ({}, "")},
}
#: Who reads an entry of `parameters` that another backend, or none, does not.
READERS_OF = {
    **{name: f"the {backend} backend" for backend in PARAMETERS for name in PARAMETERS[backend]},
    **{name: "the accelerator cuda" for name in CUDA_ACCELERATOR if name not in CUDA_OPTIONS},
    **dict.fromkeys(TENSORRT_OPTIONS, "the accelerator tensorrt"),
}


def backend_of(fields: Fields) -> str:
    """The backend that Triton loads a model with, "" where the configuration names none."""
    backend: str = fields.get("backend") or BACKEND_OF_PLATFORM.get(fields.get("platform", ""), "")
    return backend


def read_fields(fields: Fields) -> EngineSpec | None:
    """See `EngineSpec.read`."""
    backend = backend_of(fields)
    if backend not in _READERS:
        return None
    spec = _READERS[backend](fields, _parameters(fields, backend))
    return replace(spec, notes=(*spec.notes, *_common_notes(fields, backend)))


def _parameters(fields: Fields, backend: str) -> dict[str, str]:
    """The entries of `parameters` that a backend reads, checked where it looks at them."""
    known: dict[str, Kind] = dict(PARAMETERS[backend])
    if not _may_be_on_gpu(fields):
        known |= dict.fromkeys(CUDA_OPTIONS.keys() & known, TEXT)
    found = {name: value for name, value in _stored(fields).items() if name in known}
    if backend == "openvino":  # takes an empty text for none
        found = {name: value for name, value in found.items() if value}
    for name, value in found.items():
        check("parameter", name, value, known[name])
    return found


def _stored(fields: Fields) -> dict[str, str]:
    stored: Mapping[str, Mapping[str, str]] = fields.get("parameters", {})
    return {name: value.get("string_value", "") for name, value in stored.items()}


def _may_be_on_gpu(fields: Fields) -> bool:
    """Whether an instance is on a GPU; where nothing is said, Triton takes one if there is one."""
    kinds = _kinds(fields)
    return not kinds or bool(kinds & {"KIND_GPU", "KIND_AUTO"})


def _read_onnxruntime(fields: Fields, parameters: dict[str, str]) -> EngineSpec:
    optimization = fields.get("optimization", {})
    on_gpu = _may_be_on_gpu(fields)
    accelerators = _accelerators(optimization.get("execution_accelerators", {}), on_gpu=on_gpu)
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
        notes=tuple(_onnxruntime_notes(fields, parameters, accelerators)),
    )


def _accelerators(stored: Mapping[str, Any], *, on_gpu: bool) -> tuple[Accelerator, ...]:
    """The execution accelerators of a configuration."""
    found = []
    for device, known in ACCELERATORS.items():
        for entry in stored.get(f"{device}_execution_accelerator", ()):
            one = Accelerator(device, entry["name"], dict(entry.get("parameters", {})))
            if device == "cpu" or on_gpu:
                _check_accelerator(one, known)
            found.append(one)
    return tuple(found)


def _check_accelerator(
    one: Accelerator, known: Mapping[str, tuple[Mapping[str, Kind], str]]
) -> None:
    if one.name not in known:
        said = UNKNOWN_ACCELERATOR.format(name=one.name)
        raise EngineError(
            f"{said} ({one.device}_execution_accelerator; allowed: {', '.join(known)})"
        )
    kinds, unknown = known[one.name]
    for name, value in one.parameters.items() if kinds else ():
        check_known(f"parameters of {one.name}", name, kinds, unknown)
        check(f"{one.name}'s", name, value, kinds[name])


def _onnxruntime_notes(
    fields: Fields, parameters: Mapping[str, str], accelerators: tuple[Accelerator, ...]
) -> Iterator[str]:
    if is_true(parameters.get("share_session_between_instances", "")):
        yield "share_session_between_instances: instances are processes here"
    if fields.get("optimization", {}).get("cuda"):
        yield "optimization.cuda: only the tensorrt backend reads it"
    on_gpu = _may_be_on_gpu(fields)
    for one in accelerators:
        if one.device == "gpu" and not on_gpu:
            yield f"accelerator {one.name}: no instance is on a GPU"
        elif one.name == "openvino" and one.parameters:
            yield "parameters of openvino: Triton's own backend does not pass them on"
        elif one.name == "cuda":
            for name in sorted(CUDA_OPTIONS.keys() & one.parameters.keys()):
                yield f"{name} of the cuda accelerator: the model's parameters win, set it there"
            for name in sorted(set(CUDA_OVERWRITTEN) & one.parameters.keys()):
                yield f"{name} of the cuda accelerator: Triton sets it itself"


def _common_notes(fields: Fields, backend: str) -> Iterator[str]:
    if any(fields.get("cc_model_filenames", {})):
        yield "cc_model_filenames: there are no compute capabilities to choose by here"
    for name in sorted(_stored(fields).keys() & READERS_OF.keys() - PARAMETERS[backend].keys()):
        yield f"parameter {name}: only {READERS_OF[name]} reads it"


def _read_openvino(fields: Fields, parameters: dict[str, str]) -> EngineSpec:
    for kind in sorted(_kinds(fields) - {"KIND_CPU", "KIND_AUTO"}):
        name = fields.get("name", "")
        raise EngineError(
            f"unable to load model '{name}', Triton openVINO backend supports only CPU device "
            f"(instance_group kind is {kind}; allowed: KIND_CPU)"
        )
    notes = tuple(_openvino_notes(fields, parameters))
    threads = _share_of_threads(parameters, fields)
    reshape = parameters.get("RESHAPE_IO_LAYERS", "").upper() == "YES"
    return EngineSpec(
        backend="openvino",
        precision="bf16" if parameters.pop("HINT_BF16", "") else "fp32",
        threads=threads,
        file_name=fields.get("default_model_filename") or DEFAULT_FILES["openvino"],
        parameters=parameters,
        shapes=declared_shapes(fields) if reshape else {},
        notes=notes,
    )


def _openvino_notes(fields: Fields, parameters: Mapping[str, str]) -> Iterator[str]:
    if any(fields.get("optimization", {}).get("execution_accelerators", {}).values()):
        yield "execution_accelerators: only the onnxruntime backend reads them"
    said = {name for name, value in parameters.items() if value.upper() == "YES"}
    for name in ("SKIP_OV_DYNAMIC_BATCHSIZE", "ENABLE_BATCH_PADDING"):
        if name in said:
            yield f"{name}: a batch has as many rows as its requests here"
    if (rows := int(fields.get("max_batch_size", 0))) > 1 and "ENABLE_BATCH_PADDING" not in said:
        yield f"max_batch_size {rows}: a request of fewer rows is refused; set it to 0"
    if parameters.get("TARGET_DEVICE", "CPU").upper() != "CPU":
        yield "TARGET_DEVICE: newer releases read it; here and in r24.10 the CPU computes"


def _share_of_threads(parameters: dict[str, str], fields: Fields) -> int:
    """An instance's part of the threads, at least 1; 0 where nothing parts them."""
    streams = parameters.pop("NUM_STREAMS", "")
    if streams.isdigit():
        parts = int(streams)
    else:
        groups = fields.get("instance_group", ())
        parts = sum(int(group.get("count", 1)) for group in groups) or 1
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

"""A network opened by OpenVINO."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ppocr_engine.errors import EngineError
from ppocr_engine.machine import has_bfloat16
from ppocr_engine.session import ANY, Array, Feeds, Session, graph_tensors, import_engine

if TYPE_CHECKING:
    import openvino

    from ppocr_engine.spec import EngineSpec

NAME = "openvino"
#: OpenVINO's name of a tensor type, and Triton's. Strings and bfloat16 are left out.
TRITON_TYPES = {
    "boolean": "TYPE_BOOL",
    "u8": "TYPE_UINT8",
    "u16": "TYPE_UINT16",
    "u32": "TYPE_UINT32",
    "u64": "TYPE_UINT64",
    "i8": "TYPE_INT8",
    "i16": "TYPE_INT16",
    "i32": "TYPE_INT32",
    "i64": "TYPE_INT64",
    "f16": "TYPE_FP16",
    "f32": "TYPE_FP32",
    "f64": "TYPE_FP64",
}
#: OpenVINO's names of the precisions.
PRECISIONS = {"fp32": "f32", "bf16": "bf16"}
#: Kernels that OpenVINO keeps for shapes it has seen, of its own 5000. A width costs PP-OCRv4's
#: recogniser some 25 of them and 10 MB in bfloat16, 5 MB in float32, and to make them again 50 ms.
#: With 5000, all 98 widths of a line took 1112 MB in bfloat16, 556 in float32. This many hold 34
#: widths: 440 and 275 MB, as fast as with 5000.
KERNELS = 1000
#: What OpenVINO raises when a network cannot be loaded or run; it has no exceptions of its own.
ERRORS = (RuntimeError, ValueError)


def open_openvino(path: Path, spec: EngineSpec, *, streams: int = 1) -> Session:
    """Load a file of any format that OpenVINO reads, with threads for so many runs at a time.

    Raises:
        EngineError: OpenVINO is not installed, or cannot load the file.
    """
    chosen = properties(spec, streams)
    compiled = _compile(path, spec, chosen)
    inputs, outputs = (
        graph_tensors((_node(port) for port in ports), TRITON_TYPES, NAME)
        for ports in (compiled.inputs, compiled.outputs)
    )
    own = threading.local()

    def run(feeds: Feeds, wanted: Sequence[str]) -> Mapping[str, Array]:
        if not hasattr(own, "request"):
            own.request = compiled.create_infer_request()
        # The request's own output tensors are written anew by the next run: these are copies.
        found = own.request.infer(dict(feeds), share_inputs=True, share_outputs=False)
        return {name: found[name] for name in wanted}

    return Session(
        inputs=inputs,
        feedable=inputs,
        outputs=outputs,
        run=run,
        errors=ERRORS,
        said=lambda error: f"openvino error in running inference : {error}",
        description=", ".join(f"{name}={value}" for name, value in chosen.items()),
        notes=(*spec.notes, *_precision_note(compiled, spec)),
    )


def _compile(path: Path, spec: EngineSpec, chosen: Mapping[str, Any]) -> openvino.CompiledModel:
    runtime = import_engine(NAME)
    try:
        core = runtime.Core()
        if extension := spec.parameters.get("CPU_EXTENSION_PATH"):
            core.add_extension(extension)
        model = core.read_model(path)
        if spec.shapes:
            shapes = {name: runtime.PartialShape(list(d)) for name, d in spec.shapes.items()}
            model.reshape(shapes)
        return core.compile_model(model, "CPU", chosen)
    except ERRORS as error:
        raise EngineError(f"openvino {runtime.__version__} cannot load {path}: {error}") from error


def properties(spec: EngineSpec, streams: int = 1) -> dict[str, Any]:
    """OpenVINO's properties for a specification.

    The precision is always named: left alone, OpenVINO turns to bfloat16 on processors that have
    it. The C++ backend has no parameter for float32 and leaves it alone.
    """
    found: dict[str, Any] = {
        "NUM_STREAMS": streams,
        "INFERENCE_PRECISION_HINT": PRECISIONS[spec.precision],
        # Every instance is a process: each would pin its first thread to the same core.
        "ENABLE_CPU_PINNING": False,
        "CPU_RUNTIME_CACHE_CAPACITY": KERNELS,
    }
    if spec.threads:
        found["INFERENCE_NUM_THREADS"] = streams * spec.threads
    if compilation := int(spec.parameters.get("COMPILATION_NUM_THREADS", 0)):
        found["COMPILATION_NUM_THREADS"] = compilation
    if hint := spec.parameters.get("PERFORMANCE_HINT"):
        found["PERFORMANCE_HINT"] = hint.upper()
    return found


def _precision_note(compiled: openvino.CompiledModel, spec: EngineSpec) -> list[str]:
    """Say where OpenVINO does not compute in the precision that was asked for."""
    done_in = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
    wanted = PRECISIONS[spec.precision]
    if done_in == wanted and (spec.precision == "fp32" or has_bfloat16()):
        return []
    return [
        "HINT_BF16: this processor has no bfloat16 arithmetic (AVX512-BF16 or AMX), OpenVINO "
        f"computes in {done_in}"
    ]


def _node(port: Any) -> tuple[str, str, list[int]]:
    """Name, type and dimensions of an input or output; -1 where variable."""
    shape = port.partial_shape
    if shape.rank.is_dynamic:
        raise EngineError(
            f"the graph's tensor '{port.any_name}' has any number of dimensions, which cannot be "
            "served"
        )
    dims = [ANY if size.is_dynamic else size.get_length() for size in shape]
    return port.any_name, port.element_type.get_type_name(), dims

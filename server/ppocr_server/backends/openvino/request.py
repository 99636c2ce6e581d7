"""The OpenVINO infer request of one instance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ppocr_server.backends.common.batching import Array, Feeds
from ppocr_server.backends.common.config import (
    ConfigurationError,
    Json,
    import_engine,
    weights_path,
)
from ppocr_server.backends.common.network import Network
from ppocr_server.backends.common.tensors import ANY, graph_tensors
from ppocr_server.backends.openvino.settings import DEFAULT_FILE, NAME, Settings, read_settings

if TYPE_CHECKING:
    import openvino

# OpenVINO's name of a tensor type, and Triton's. Strings and bfloat16 are left out.
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
#: Kernels that OpenVINO keeps for shapes it has seen, of its own 5000. A width costs PP-OCRv4's
#: recogniser some 25 of them and 10 MB in bfloat16, 5 MB in float32, and to make them again 50 ms.
#: With 5000, all 98 widths of a line took 1112 MB in bfloat16, 556 in float32. This many hold 34
#: widths: 440 and 275 MB, as fast as with 5000.
KERNELS = 1000
#: What OpenVINO raises when a network cannot be loaded or run; it has no exceptions of its own.
ERRORS = (RuntimeError, ValueError)


def open_network(folder: Path, config: Json, *, kind: str, device: int) -> Network:
    """Load the network of one instance.

    Args:
        folder: of the version.
        config: Triton's model configuration as JSON.
        kind: see `read_settings`.
        device: without meaning on a CPU.

    Raises:
        ConfigurationError: it asks for what cannot be done here, or the file cannot be loaded.
    """
    del device
    settings = read_settings(config, kind=kind)
    path = weights_path(folder, settings.file_name, DEFAULT_FILE)
    shapes = declared_shapes(config) if settings.reshape else {}
    compiled = compile_network(path, settings, shapes)
    request = compiled.create_infer_request()
    inputs, outputs = (
        graph_tensors((_node(port) for port in ports), TRITON_TYPES, NAME)
        for ports in (compiled.inputs, compiled.outputs)
    )

    def run(feeds: Feeds, wanted: Sequence[str]) -> Mapping[str, Array]:
        # The request's own output tensors are written anew by the next run: these are copies.
        found = request.infer(dict(feeds), share_inputs=True, share_outputs=False)
        return {name: found[name] for name in wanted}

    done_in = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
    ignored = settings.ignored
    if done_in != settings.precision or (settings.precision == "bf16" and not has_bfloat16()):
        ignored += (
            "HINT_BF16: this processor has no bfloat16 arithmetic (AVX512-BF16 or AMX), OpenVINO "
            f"computes in {done_in}",
        )
    return Network(
        required=inputs,
        feedable=inputs,
        outputs=outputs,
        run=run,
        errors=ERRORS,
        description=f"{settings}",
        ignored=ignored,
    )


def compile_network(
    path: Path, settings: Settings, shapes: Mapping[str, Sequence[int]] | None = None
) -> openvino.CompiledModel:
    """Load a file with everything the configuration asked for.

    Args:
        path: the file, of any format that OpenVINO reads.
        settings: of the instance.
        shapes: of inputs, in place of the graph's own.

    Raises:
        ConfigurationError: OpenVINO is not installed, or cannot load the file.
    """
    runtime = import_engine(NAME)
    try:
        core = runtime.Core()
        if settings.extension:
            core.add_extension(settings.extension)
        model = core.read_model(path)
        if shapes:
            model.reshape({name: runtime.PartialShape(dims) for name, dims in shapes.items()})
        return core.compile_model(model, "CPU", properties(settings))
    except ERRORS as error:
        raise ConfigurationError(
            f"openvino {runtime.__version__} cannot load {path}: {error}"
        ) from error


def properties(settings: Settings) -> dict[str, Any]:
    """OpenVINO's properties for the settings of an instance.

    The precision is always named: left alone, OpenVINO turns to bfloat16 on processors that have
    it. The C++ backend has no parameter for float32 and leaves it alone.
    """
    found: dict[str, Any] = {
        "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": settings.precision,
        # Every instance is a process: each would pin its first thread to the same core.
        "ENABLE_CPU_PINNING": False,
        "CPU_RUNTIME_CACHE_CAPACITY": KERNELS,
    }
    if settings.threads:
        found["INFERENCE_NUM_THREADS"] = settings.threads
    if settings.compilation_threads:
        found["COMPILATION_NUM_THREADS"] = settings.compilation_threads
    if settings.performance_hint:
        found["PERFORMANCE_HINT"] = settings.performance_hint
    return found


def declared_shapes(config: Json) -> dict[str, list[int]]:
    """The shapes of the inputs as a configuration declares them, the batch dimension included."""
    batch = [ANY] if config.get("max_batch_size", 0) > 0 else []
    return {
        entry["name"]: [*batch, *map(int, entry.get("reshape", {}).get("shape", entry["dims"]))]
        for entry in config.get("input", ())
    }


def has_bfloat16() -> bool:
    """Whether this processor computes in bfloat16 itself, by AVX512-BF16 or AMX.

    Raises:
        ConfigurationError: OpenVINO is not installed.
    """
    capabilities = import_engine(NAME).Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return "BF16" in capabilities


def _node(port: Any) -> tuple[str, str, list[int]]:
    """Name, type and dimensions of an input or output; -1 where variable.

    Raises:
        ConfigurationError: not even the number of dimensions is known.
    """
    shape = port.partial_shape
    if shape.rank.is_dynamic:
        raise ConfigurationError(
            f"the graph's tensor '{port.any_name}' has any number of dimensions, which cannot be "
            "served"
        )
    dims = [ANY if size.is_dynamic else size.get_length() for size in shape]
    return port.any_name, port.element_type.get_type_name(), dims

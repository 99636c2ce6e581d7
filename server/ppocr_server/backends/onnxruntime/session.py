"""The ONNX Runtime session of one instance."""

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
from ppocr_server.backends.common.tensors import graph_tensors
from ppocr_server.backends.onnxruntime.settings import DEFAULT_FILE, Settings, read_settings

if TYPE_CHECKING:
    import onnxruntime

NAME = "onnxruntime"
# ONNX Runtime's name of a tensor type, and Triton's. Strings and bfloat16 are left out.
TRITON_TYPES = {
    "tensor(bool)": "TYPE_BOOL",
    "tensor(uint8)": "TYPE_UINT8",
    "tensor(uint16)": "TYPE_UINT16",
    "tensor(uint32)": "TYPE_UINT32",
    "tensor(uint64)": "TYPE_UINT64",
    "tensor(int8)": "TYPE_INT8",
    "tensor(int16)": "TYPE_INT16",
    "tensor(int32)": "TYPE_INT32",
    "tensor(int64)": "TYPE_INT64",
    "tensor(float16)": "TYPE_FP16",
    "tensor(float)": "TYPE_FP32",
    "tensor(double)": "TYPE_FP64",
}
# Warnings (nodes left to the CPU, and the like) are the converter's business, not the server's.
LOG_ERRORS = 3


def open_network(folder: Path, config: Json, *, kind: str, device: int) -> Network:
    """Load the network of one instance.

    Args:
        folder: of the version.
        config: Triton's model configuration as JSON.
        kind: see `read_settings`.
        device: see `read_settings`.

    Raises:
        ConfigurationError: it asks for what cannot be done here, or the file cannot be loaded.
    """
    settings = read_settings(config, kind=kind, device=device)
    session = open_session(weights_path(folder, settings.file_name, DEFAULT_FILE), settings)
    options = run_options(settings)
    required, overridable, outputs = (
        graph_tensors(((one.name, one.type, one.shape) for one in nodes), TRITON_TYPES, NAME)
        for nodes in (
            session.get_inputs(),
            session.get_overridable_initializers(),
            session.get_outputs(),
        )
    )

    def run(feeds: Feeds, wanted: Sequence[str]) -> Mapping[str, Array]:
        return dict(zip(wanted, session.run(wanted, feeds, options), strict=True))

    return Network(
        required=required,
        feedable={**required, **overridable},
        outputs=outputs,
        run=run,
        errors=runtime_errors(),
        description=str(settings),
        ignored=settings.ignored,
    )


def open_session(path: Path, settings: Settings) -> onnxruntime.InferenceSession:
    """Load a graph with everything the configuration asked for.

    Raises:
        ConfigurationError: this ONNX Runtime lacks a provider, or cannot load the file.
    """
    runtime = import_engine(NAME)
    wanted = [name for name, _ in settings.providers]
    _require(wanted, runtime.get_available_providers(), f"onnxruntime {runtime.__version__}")
    options = runtime.SessionOptions()
    options.log_severity_level = LOG_ERRORS
    options.graph_optimization_level = getattr(runtime.GraphOptimizationLevel, settings.graph_level)
    options.execution_mode = getattr(runtime.ExecutionMode, settings.execution_mode)
    options.intra_op_num_threads = settings.intra_op_threads
    options.inter_op_num_threads = settings.inter_op_threads
    # Threads that wait in a loop take the cores of the other instances, which are processes
    # here: with 2 instances of 2 threads on 2 cores it costs four tenths of the throughput.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if settings.mem_arena is not None:
        options.enable_cpu_mem_arena = settings.mem_arena
    if settings.mem_pattern is not None:
        options.enable_mem_pattern = settings.mem_pattern
    for key, value in settings.session_entries.items():
        options.add_session_config_entry(key, value)
    try:
        for library in settings.custom_ops:
            options.register_custom_ops_library(library)
        session = runtime.InferenceSession(str(path), options, providers=settings.providers)
    except runtime_errors() as error:
        raise ConfigurationError(
            f"onnxruntime {runtime.__version__} cannot load {path}: {error}"
        ) from error
    # A provider whose libraries do not load is dropped with a mere warning.
    _require(wanted, session.get_providers(), "this machine")
    return session


def run_options(settings: Settings) -> Any:
    """Options passed to every run, None when there are none."""
    if not settings.run_entries:
        return None
    options = import_engine(NAME).RunOptions()
    for key, value in settings.run_entries.items():
        options.add_run_config_entry(key, value)
    return options


def runtime_errors() -> tuple[type[Exception], ...]:
    """Everything that ONNX Runtime raises; its exceptions have no base class of their own."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    found = [item for item in vars(state).values() if isinstance(item, type)]
    return (ValueError, RuntimeError, *(item for item in found if issubclass(item, Exception)))


def _require(wanted: list[str], available: list[str], where: str) -> None:
    missing = [name for name in wanted if name not in available]
    if missing:
        raise ConfigurationError(
            f"the configuration needs {', '.join(missing)}, and {where} has only "
            f"{', '.join(available)}; install an onnxruntime build that has it, "
            "or change instance_group kind and execution_accelerators"
        )

"""Create the ONNX Runtime session of one instance."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ppocr_server.backends.onnxruntime.settings import DEFAULT_FILE, ConfigurationError, Settings

if TYPE_CHECKING:
    import onnxruntime

# Warnings (nodes left to the CPU, and the like) are the converter's business, not the server's.
LOG_ERRORS = 3


def weights_path(version_folder: Path, file_name: str) -> Path:
    """Return the file to load; a folder of that name holds its `model.onnx`.

    Raises:
        ConfigurationError: it does not exist.
    """
    path = version_folder / file_name
    if path.is_dir():
        path = path / DEFAULT_FILE
    if not path.is_file():
        raise ConfigurationError(f"{path} does not exist; run `ppocr-convert build`")
    return path


def open_session(path: Path, settings: Settings) -> onnxruntime.InferenceSession:
    """Load a graph with everything the configuration asked for.

    Raises:
        ConfigurationError: this ONNX Runtime lacks a provider, or cannot load the file.
    """
    runtime = import_onnxruntime()
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
    options = import_onnxruntime().RunOptions()
    for key, value in settings.run_entries.items():
        options.add_run_config_entry(key, value)
    return options


def import_onnxruntime() -> Any:
    """Import ONNX Runtime.

    Raises:
        ConfigurationError: it is not installed in the Python that serves.
    """
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "onnxruntime is not installed; install it with: pip install 'ppocr-triton[serve]'"
        ) from error
    return onnxruntime


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

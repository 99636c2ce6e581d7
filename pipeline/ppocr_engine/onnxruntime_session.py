"""A network opened by ONNX Runtime."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ppocr_engine.errors import EngineError
from ppocr_engine.parameters import (
    CUDA_OPTIONS,
    CUDA_OVERWRITTEN,
    TENSORRT_PRECISIONS,
    TENSORRT_RENAMED,
    is_true,
)
from ppocr_engine.session import Array, Feeds, Session, graph_tensors, import_engine

if TYPE_CHECKING:
    import onnxruntime

    from ppocr_engine.spec import EngineSpec

NAME = "onnxruntime"
#: ONNX Runtime's name of a tensor type, and Triton's. Strings and bfloat16 are left out.
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
#: Level of `optimization.graph`; anything else, unset (0) included, means every optimisation.
GRAPH_LEVELS = {-1: "ORT_ENABLE_BASIC", 1: "ORT_ENABLE_EXTENDED", 2: "ORT_DISABLE_ALL"}
EXECUTION_MODES = {"sequential": "ORT_SEQUENTIAL", "parallel": "ORT_PARALLEL"}
#: Sessions with this entry share one arena.
SHARED_ARENA = "session.use_env_allocators"
SESSION_ENTRIES = ("session.use_device_allocator_for_initializers", SHARED_ARENA)
RUN_ENTRIES = ("memory.enable_memory_arena_shrinkage",)
#: Warnings (nodes left to the CPU, and the like) are the converter's business, not the server's.
LOG_ERRORS = 3

Providers = list[tuple[str, dict[str, str]]]


def open_onnxruntime(path: Path, spec: EngineSpec) -> Session:
    """Load a graph with everything a specification asks for.

    Raises:
        EngineError: ONNX Runtime is not installed, lacks a provider, or cannot load the file.
    """
    session = open_inference_session(path, spec)
    options = _run_options(spec)
    inputs, overridable, outputs = (
        graph_tensors(((one.name, one.type, one.shape) for one in nodes), TRITON_TYPES, NAME)
        for nodes in (
            session.get_inputs(),
            session.get_overridable_initializers(),
            session.get_outputs(),
        )
    )

    def run(feeds: Feeds, wanted: Sequence[str]) -> Mapping[str, Array]:
        return dict(zip(wanted, session.run(wanted, feeds, options), strict=True))

    return Session(
        inputs=inputs,
        feedable={**inputs, **overridable},
        outputs=outputs,
        run=run,
        errors=runtime_errors(),
        said=backend_error,
        description=(
            f"{graph_level(spec)}, {EXECUTION_MODES[spec.execution_mode]}, threads={spec.threads}, "
            f"providers={providers(spec)}, parameters={dict(spec.parameters)}"
        ),
        notes=spec.notes,
    )


def open_inference_session(path: Path, spec: EngineSpec) -> onnxruntime.InferenceSession:
    """ONNX Runtime's own session of it, see `open_onnxruntime`."""
    runtime = import_engine(NAME)
    chosen = providers(spec)
    wanted = [name for name, _ in chosen]
    _require(wanted, runtime.get_available_providers(), f"onnxruntime {runtime.__version__}")
    options = _session_options(runtime, spec)
    try:
        for library in spec.custom_ops:
            options.register_custom_ops_library(library)
        session = runtime.InferenceSession(str(path), options, providers=chosen)
    except runtime_errors() as error:
        raise EngineError(
            f"onnxruntime {runtime.__version__} cannot load {path}: {error}"
        ) from error
    # A provider whose libraries do not load is dropped with a mere warning.
    _require(wanted, session.get_providers(), "this machine")
    return session


def _session_options(runtime: Any, spec: EngineSpec) -> Any:
    options = runtime.SessionOptions()
    options.log_severity_level = LOG_ERRORS
    options.graph_optimization_level = getattr(runtime.GraphOptimizationLevel, graph_level(spec))
    mode = EXECUTION_MODES[spec.execution_mode]
    options.execution_mode = getattr(runtime.ExecutionMode, mode)
    options.intra_op_num_threads = spec.threads
    between = spec.parameters.get("inter_op_thread_count", 1 if spec.threads else 0)
    options.inter_op_num_threads = max(0, int(between))
    # Threads that wait in a loop take the cores of the other instances, which are processes
    # here: with 2 instances of 2 threads on 2 cores it costs four tenths of the throughput.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if (arena := spec.parameters.get("enable_mem_arena")) is not None:
        options.enable_cpu_mem_arena = is_true(arena)
    if (pattern := spec.parameters.get("enable_mem_pattern")) is not None:
        options.enable_mem_pattern = is_true(pattern)
    if SHARED_ARENA in spec.parameters:
        _register_arena(runtime)
    for key in SESSION_ENTRIES:
        if key in spec.parameters:
            options.add_session_config_entry(key, spec.parameters[key])
    return options


@cache
def _register_arena(runtime: Any) -> None:
    """Make the arena of this process; a second one would take its place."""
    kind = runtime.OrtAllocatorType.ORT_ARENA_ALLOCATOR
    memory = runtime.OrtMemoryInfo("Cpu", kind, 0, runtime.OrtMemType.DEFAULT)
    runtime.create_and_register_allocator(memory, None)


def _run_options(spec: EngineSpec) -> Any:
    """Options passed to every run, None when there are none."""
    entries = {key: spec.parameters[key] for key in RUN_ENTRIES if key in spec.parameters}
    if not entries:
        return None
    options = import_engine(NAME).RunOptions()
    for key, value in entries.items():
        options.add_run_config_entry(key, value)
    return options


def graph_level(spec: EngineSpec) -> str:
    """The member of `GraphOptimizationLevel`."""
    return GRAPH_LEVELS.get(spec.graph_level, "ORT_ENABLE_ALL")


def providers(spec: EngineSpec) -> Providers:
    """Execution providers with their options, most wanted first, the CPU's last.

    As in the C++ backend, accelerators of GPUs count for instances on a GPU only, which have CUDA
    in any case, and what `parameters` say of CUDA wins over the `cuda` accelerator.
    """
    found: Providers = []
    device = {"device_id": str(spec.device_id)}
    cuda: dict[str, str] = {}
    for one in spec.accelerators:
        if one.name == "tensorrt" and spec.device == "gpu":
            found.append(("TensorrtExecutionProvider", {**_tensorrt(one.parameters), **device}))
        if one.name == "cuda":
            cuda.update(_given(one.parameters, CUDA_OVERWRITTEN))
    if spec.device == "gpu":
        cuda |= _cuda(spec.parameters)
        found.append(("CUDAExecutionProvider", {**cuda, **device}))
    if any(one.name == "openvino" for one in spec.accelerators):
        found.append(("OpenVINOExecutionProvider", {"device_type": "CPU"}))
    return [*found, ("CPUExecutionProvider", {})]


def _cuda(parameters: Mapping[str, str]) -> dict[str, str]:
    """The options of CUDA that `parameters` decide, set there or not."""
    options = {}
    for name, (default, names) in CUDA_OPTIONS.items():
        value = parameters.get(name, default)
        options[name] = names.get(value, value)
    return options


def _tensorrt(parameters: Mapping[str, str]) -> dict[str, str]:
    options = dict(TENSORRT_PRECISIONS[parameters.get("precision_mode", "FP32")])
    for name, value in _given(parameters, ("precision_mode",)).items():
        options[TENSORRT_RENAMED.get(name, name)] = value
    return options


def _given(parameters: Mapping[str, str], but: Sequence[str]) -> dict[str, str]:
    """An accelerator's parameters without some, and without empty ones, which count as left out."""
    return {name: value for name, value in parameters.items() if value and name not in but}


def runtime_errors() -> tuple[type[Exception], ...]:
    """Everything that ONNX Runtime raises; its exceptions have no base class of their own."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    found = [item for item in vars(state).values() if isinstance(item, type)]
    return (ValueError, RuntimeError, *(item for item in found if issubclass(item, Exception)))


def backend_error(error: Exception) -> str:
    """What the C++ backend says of an error (`RETURN_IF_ORT_ERROR` in src/onnxruntime_utils.h)."""
    found = re.fullmatch(r"\[ONNXRuntimeError\] : (\d+) : \w+ : (.*)", str(error), re.DOTALL)
    return f"onnx runtime error {found[1]}: {found[2]}" if found else str(error)


def _require(wanted: list[str], available: list[str], where: str) -> None:
    missing = [name for name in wanted if name not in available]
    if missing:
        raise EngineError(
            f"the configuration needs {', '.join(missing)}, and {where} has only "
            f"{', '.join(available)}; install an onnxruntime build that has it, "
            "or change instance_group kind and execution_accelerators"
        )

"""What a model configuration asks of ONNX Runtime, with the C++ backend's meaning of each field.

Source of the behaviour: `src/onnxruntime.cc` and README of triton-inference-server's
onnxruntime_backend. What this stand-in cannot do is refused with a sentence, never skipped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ppocr_server.backends.common.config import (
    ConfigurationError,
    Json,
    integer,
    parameters_of,
    refuse_unsupported,
)

DEFAULT_FILE = "model.onnx"
# optimization.graph.level; anything else, unset (0) included, means every optimisation.
GRAPH_LEVELS = {-1: "ORT_ENABLE_BASIC", 1: "ORT_ENABLE_EXTENDED", 2: "ORT_DISABLE_ALL"}
EXECUTION_MODES = {0: "ORT_SEQUENTIAL", 1: "ORT_PARALLEL"}
BOOLEANS = {"1": True, "true": True, "0": False, "false": False}

# Deprecated `parameters` that became options of the CUDA provider.
CUDA_PARAMETERS: dict[str, dict[str, str] | None] = {
    "cudnn_conv_algo_search": {"0": "EXHAUSTIVE", "1": "HEURISTIC", "2": "DEFAULT"},
    "gpu_mem_limit": None,
    "arena_extend_strategy": {"0": "kNextPowerOfTwo", "1": "kSameAsRequested"},
    "do_copy_in_default_stream": None,
}
TENSORRT_PRECISIONS = {
    "FP32": {},
    "FP16": {"trt_fp16_enable": "1"},
    "BF16": {"trt_bf16_enable": "1"},
    "INT8": {"trt_int8_enable": "1"},
}
TENSORRT_RENAMED = {
    "max_workspace_size_bytes": "trt_max_workspace_size",
    "int8_calibration_table_name": "trt_int8_calibration_table_name",
    "int8_use_native_calibration_table": "trt_int8_use_native_calibration_table",
}


@dataclass(frozen=True)
class Settings:
    """How to create and run the session of one instance.

    Attributes:
        file_name: weights inside the version folder.
        graph_level: member name of `GraphOptimizationLevel`.
        execution_mode: member name of `ExecutionMode`.
        intra_op_threads: 0 leaves it to ONNX Runtime (one per core); so for inter_op_threads.
        inter_op_threads: used in parallel execution mode only.
        mem_arena: None leaves ONNX Runtime's default; so for mem_pattern.
        mem_pattern: as above.
        session_entries: session configuration entries, passed on as they are.
        run_entries: run configuration entries.
        providers: execution providers in order with their options, the CPU one last.
        custom_ops: libraries of custom operators.
        ignored: fields that change nothing here, each with the reason, for the log.
    """

    file_name: str = DEFAULT_FILE
    graph_level: str = "ORT_ENABLE_ALL"
    execution_mode: str = "ORT_SEQUENTIAL"
    intra_op_threads: int = 0
    inter_op_threads: int = 0
    mem_arena: bool | None = None
    mem_pattern: bool | None = None
    session_entries: dict[str, str] = field(default_factory=dict)
    run_entries: dict[str, str] = field(default_factory=dict)
    providers: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    custom_ops: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


def read_settings(config: Json, *, kind: str, device: int) -> Settings:
    """Translate a model configuration for one instance.

    Args:
        config: Triton's model configuration as JSON.
        kind: kind of the instance, "CPU", "GPU" or "MODEL"; only "GPU" uses a GPU.
        device: GPU of the instance.

    Raises:
        ConfigurationError: a value is not allowed, or asks for what cannot be done here.
    """
    refuse_unsupported(config, "onnxruntime")
    parameters = parameters_of(config)
    mode = integer(parameters, "execution_mode")
    if mode not in EXECUTION_MODES:
        raise ConfigurationError(f"parameter execution_mode is {mode}; allowed are 0 and 1")
    optimization = config.get("optimization", {})
    return Settings(
        file_name=config.get("default_model_filename") or DEFAULT_FILE,
        graph_level=GRAPH_LEVELS.get(
            int(optimization.get("graph", {}).get("level", 0)), "ORT_ENABLE_ALL"
        ),
        execution_mode=EXECUTION_MODES[mode],
        intra_op_threads=max(0, integer(parameters, "intra_op_thread_count")),
        inter_op_threads=max(0, integer(parameters, "inter_op_thread_count")),
        mem_arena=_boolean(parameters, "enable_mem_arena"),
        mem_pattern=_boolean(parameters, "enable_mem_pattern"),
        session_entries=_pick(parameters, "session.use_device_allocator_for_initializers"),
        run_entries=_pick(parameters, "memory.enable_memory_arena_shrinkage"),
        providers=_providers(optimization, parameters, kind, device),
        custom_ops=tuple(config.get("model_operations", {}).get("op_library_filename", [])),
        ignored=_ignored(config, parameters, optimization),
    )


def _boolean(parameters: Mapping[str, str], key: str) -> bool | None:
    if key not in parameters:
        return None
    text = parameters[key].lower()
    if text not in BOOLEANS:
        raise ConfigurationError(
            f"parameter {key} is '{parameters[key]}'; allowed are {', '.join(BOOLEANS)}"
        )
    return BOOLEANS[text]


def _pick(parameters: Mapping[str, str], key: str) -> dict[str, str]:
    return {key: parameters[key]} if key in parameters else {}


def _providers(
    optimization: Json, parameters: Mapping[str, str], kind: str, device: int
) -> list[tuple[str, dict[str, str]]]:
    """Execution providers, most wanted first: accelerators, CUDA on a GPU instance, CPU."""
    accelerators = optimization.get("execution_accelerators", {})
    providers: list[tuple[str, dict[str, str]]] = []
    if kind == "GPU":
        cuda = _cuda_options(parameters)
        for accelerator in accelerators.get("gpu_execution_accelerator", []):
            options = dict(accelerator.get("parameters", {}))
            if accelerator["name"] == "tensorrt":
                trt = {**_tensorrt_options(options), "device_id": str(device)}
                providers.append(("TensorrtExecutionProvider", trt))
            elif accelerator["name"] == "cuda":
                cuda.update(options)
            else:
                raise ConfigurationError(_unknown("gpu", accelerator["name"], "tensorrt, cuda"))
        providers.append(("CUDAExecutionProvider", {**cuda, "device_id": str(device)}))
    for accelerator in accelerators.get("cpu_execution_accelerator", []):
        if accelerator["name"] != "openvino":
            raise ConfigurationError(_unknown("cpu", accelerator["name"], "openvino"))
        providers.append(("OpenVINOExecutionProvider", {"device_type": "CPU"}))
    return [*providers, ("CPUExecutionProvider", {})]


def _unknown(kind: str, name: str, allowed: str) -> str:
    return f"{kind}_execution_accelerator '{name}' is not known; allowed: {allowed}"


def _cuda_options(parameters: Mapping[str, str]) -> dict[str, str]:
    options: dict[str, str] = {}
    for key, names in CUDA_PARAMETERS.items():
        if key not in parameters:
            continue
        value = parameters[key]
        if names is not None and value not in names:
            raise ConfigurationError(
                f"parameter {key} is '{value}'; allowed are {', '.join(names)}"
            )
        options[key] = value if names is None else names[value]
    return options


def _tensorrt_options(options: Mapping[str, str]) -> dict[str, str]:
    result: dict[str, str] = {}
    for key, value in options.items():
        if key == "precision_mode":
            if value not in TENSORRT_PRECISIONS:
                allowed = ", ".join(TENSORRT_PRECISIONS)
                raise ConfigurationError(
                    f"tensorrt's precision_mode is '{value}'; allowed are {allowed}"
                )
            result.update(TENSORRT_PRECISIONS[value])
        elif key in TENSORRT_RENAMED or key.startswith("trt_"):
            result[TENSORRT_RENAMED.get(key, key)] = value
        else:
            raise ConfigurationError(f"'{key}' is not a parameter of the tensorrt accelerator")
    return result


def _ignored(config: Json, parameters: Mapping[str, str], optimization: Json) -> tuple[str, ...]:
    notes = []
    if _boolean(parameters, "share_session_between_instances"):
        notes.append("share_session_between_instances: instances are processes here")
    if any(config.get("cc_model_filenames", {})):
        notes.append("cc_model_filenames: there are no compute capabilities to choose by here")
    accelerators = optimization.get("execution_accelerators", {})
    if any(item.get("parameters") for item in accelerators.get("cpu_execution_accelerator", [])):
        notes.append("parameters of openvino: Triton's own backend does not pass them on either")
    return tuple(notes)

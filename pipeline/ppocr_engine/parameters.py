"""What Triton's C++ backends read of a configuration, as tables, and how each value is checked.

Sources: `src/onnxruntime.cc` of triton-inference-server/onnxruntime_backend, `src/openvino.cc` of
openvino_backend and `src/backend_common.cc` of backend, release r24.10 (the pip wheel's) and newer.
What those refuse is refused here, in their words. docs/backends.md lists what is otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ppocr_engine.errors import EngineError


@dataclass(frozen=True)
class Kind:
    """A kind of value.

    Attributes:
        allowed: in words.
        pattern: of the whole value, a regular expression.
        refusal: what the C++ backend says, with {name}, {value} and {lower}, the value in lower
            case.
    """

    allowed: str
    pattern: str
    refusal: str = ""


#: `ParseIntValue`, `ParseUnsignedLongLongValue` and `ParseBoolValue` of src/backend_common.cc.
INTEGER = Kind("a whole number", "-?[0-9]+", "failed to convert '{value}' to integral number")
COUNT = Kind(
    "a number from 0",
    "[0-9]+",
    "failed to convert '{value}' to unsigned long long integral number",
)
BOOLEAN = Kind(
    "true, on, 1, false, off, 0",
    "(?i)true|on|1|false|off|0",
    "failed to convert '{value}' to boolean",
)
#: That ONNX Runtime reads itself (`include/onnxruntime/core/common/parse_string.h`).
PROVIDER_BOOLEAN = Kind("true, 1, false, 0", "[Tt]rue|1|[Ff]alse|0", BOOLEAN.refusal)
TEXT = Kind("a text", "(?s).*")
NUMBERED = "unsupported {name} value '{value}' is requested"
#: `ParseParameterHelper` of src/openvino.cc, which compares in lower case.
NO_NUMBER = "expected the parameter '{name}' to be a non-negative number, got {lower}"
OPENVINO_COUNT = Kind(COUNT.allowed, COUNT.pattern, NO_NUMBER)

#: Entries of `parameters` by backend.
PARAMETERS: Mapping[str, Mapping[str, Kind]] = {
    "onnxruntime": {
        "intra_op_thread_count": INTEGER,
        "inter_op_thread_count": INTEGER,
        "execution_mode": Kind(
            "0 and 1",
            "[01]",
            "Invalid configuration value provided. Expected values for  execution_mode are 0 or 1 "
            "but got {value} .",
        ),
        "enable_mem_arena": BOOLEAN,
        "enable_mem_pattern": BOOLEAN,
        "memory.enable_memory_arena_shrinkage": TEXT,
        "session.use_device_allocator_for_initializers": TEXT,
        "share_session_between_instances": BOOLEAN,
        "cudnn_conv_algo_search": Kind("0, 1 and 2", "[012]", NUMBERED),
        "gpu_mem_limit": COUNT,
        "arena_extend_strategy": Kind("0 and 1", "[01]", NUMBERED),
        "do_copy_in_default_stream": PROVIDER_BOOLEAN,
    },
    "openvino": {
        "INFERENCE_NUM_THREADS": OPENVINO_COUNT,
        "COMPILATION_NUM_THREADS": OPENVINO_COUNT,
        "NUM_STREAMS": Kind(
            "a number from 1, AUTO and NUMA",
            "(?i)auto|numa|0*[1-9][0-9]*",
            "expected the parameter '{name}' to be either AUTO/NUMA/<int_value>, got {lower}",
        ),
        "HINT_BF16": Kind(
            "YES", "(?i)yes", "expected the parameter '{name}' to be YES, got {lower}"
        ),
        "PERFORMANCE_HINT": Kind(
            "LATENCY, THROUGHPUT and CUMULATIVE_THROUGHPUT",
            "(?i)latency|throughput|cumulative_throughput",
            "expected the parameter '{name}' to be LATENCY/THROUGHPUT/CUMULATIVE_THROUGHPUT, got "
            "{lower}",
        ),
        "CPU_EXTENSION_PATH": TEXT,
        "RESHAPE_IO_LAYERS": TEXT,
        "SKIP_OV_DYNAMIC_BATCHSIZE": TEXT,
        "ENABLE_BATCH_PADDING": TEXT,
        "TARGET_DEVICE": TEXT,
    },
    "tensorrt": {},
}

#: The entry of `parameters` that only the stand-in for ONNX Runtime reads, a COUNT: threads of a
#: run beside which no other runs.
LONE_RUN_THREADS = "lone_run_thread_count"

#: Options of the CUDA provider that the C++ backend takes from `parameters`, after it has read the
#: `cuda` accelerator: the value there is overwritten, by the default where `parameters` has none.
#: By option the default, and ONNX Runtime's name of each value where it is a number.
CUDA_OPTIONS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "cudnn_conv_algo_search": ("0", {"0": "EXHAUSTIVE", "1": "HEURISTIC", "2": "DEFAULT"}),
    "gpu_mem_limit": (str(2**64 - 1), {}),
    "arena_extend_strategy": ("0", {"0": "kNextPowerOfTwo", "1": "kSameAsRequested"}),
    "do_copy_in_default_stream": ("1", {}),
}

#: Options that the C++ backend sets itself, whatever the `cuda` accelerator says.
CUDA_OVERWRITTEN = ("device_id", "has_user_compute_stream", "user_compute_stream")
#: All options of the `cuda` accelerator: those of ONNX Runtime 1.19, r24.10's, which refuses others
#: (`core/providers/cuda/cuda_execution_provider_info.cc`).
CUDA_ACCELERATOR: Mapping[str, Kind] = {
    **dict.fromkeys((*CUDA_OPTIONS, *CUDA_OVERWRITTEN), TEXT),
    "do_copy_in_default_stream": PROVIDER_BOOLEAN,
    "use_ep_level_unified_stream": PROVIDER_BOOLEAN,
    "cudnn_conv_use_max_workspace": PROVIDER_BOOLEAN,
    "cudnn_conv1d_pad_to_nc1d": PROVIDER_BOOLEAN,
    "enable_cuda_graph": PROVIDER_BOOLEAN,
    "enable_skip_layer_norm_strict_mode": PROVIDER_BOOLEAN,
    "prefer_nhwc": PROVIDER_BOOLEAN,
    "use_tf32": PROVIDER_BOOLEAN,
    "tunable_op_enable": PROVIDER_BOOLEAN,
    "tunable_op_tuning_enable": PROVIDER_BOOLEAN,
    "tunable_op_max_tuning_duration_ms": INTEGER,
}
UNKNOWN_CUDA = 'Unknown provider option: "{name}".'

#: `precision_mode` of the `tensorrt` accelerator. Later releases know BF16 too; r24.10 refuses it.
TENSORRT_PRECISIONS: Mapping[str, Mapping[str, str]] = {
    "FP32": {},
    "FP16": {"trt_fp16_enable": "1"},
    "INT8": {"trt_int8_enable": "1"},
}
TENSORRT_RENAMED = {
    "max_workspace_size_bytes": "trt_max_workspace_size",
    "int8_calibration_table_name": "trt_int8_calibration_table_name",
    "int8_use_native_calibration_table": "trt_int8_use_native_calibration_table",
}
#: All parameters of the `tensorrt` accelerator; any other one is refused by the C++ backend.
TENSORRT_OPTIONS: Mapping[str, Kind] = {
    "precision_mode": Kind(
        " and ".join(TENSORRT_PRECISIONS),
        "|".join(TENSORRT_PRECISIONS),
        "unsupported precision mode '{value}' is requested",
    ),
    "max_workspace_size_bytes": COUNT,
    "int8_calibration_table_name": TEXT,
    "int8_use_native_calibration_table": PROVIDER_BOOLEAN,
    "trt_max_partition_iterations": INTEGER,
    "trt_min_subgraph_size": INTEGER,
    "trt_dla_enable": PROVIDER_BOOLEAN,
    "trt_dla_core": INTEGER,
    "trt_engine_cache_enable": PROVIDER_BOOLEAN,
    "trt_engine_cache_path": TEXT,
    "trt_engine_cache_prefix": TEXT,
    "trt_dump_subgraphs": PROVIDER_BOOLEAN,
    "trt_force_sequential_engine_build": PROVIDER_BOOLEAN,
    "trt_context_memory_sharing_enable": PROVIDER_BOOLEAN,
    "trt_layer_norm_fp32_fallback": PROVIDER_BOOLEAN,
    "trt_timing_cache_enable": PROVIDER_BOOLEAN,
    "trt_timing_cache_path": TEXT,
    "trt_force_timing_cache": PROVIDER_BOOLEAN,
    "trt_detailed_build_log": PROVIDER_BOOLEAN,
    "trt_build_heuristics_enable": PROVIDER_BOOLEAN,
    "trt_sparsity_enable": PROVIDER_BOOLEAN,
    "trt_builder_optimization_level": INTEGER,
    "trt_auxiliary_streams": INTEGER,
    "trt_tactic_sources": TEXT,
    "trt_extra_plugin_lib_paths": TEXT,
    "trt_profile_min_shapes": TEXT,
    "trt_profile_max_shapes": TEXT,
    "trt_profile_opt_shapes": TEXT,
    "trt_cuda_graph_enable": PROVIDER_BOOLEAN,
    "trt_dump_ep_context_model": PROVIDER_BOOLEAN,
    "trt_ep_context_file_path": TEXT,
    "trt_ep_context_embed_mode": INTEGER,
}

UNKNOWN_TENSORRT = "unknown parameter '{name}' is provided for TensorRT Execution Accelerator"
UNKNOWN_ACCELERATOR = "unknown Execution Accelerator '{name}' is requested"


def check(what: str, name: str, value: str, kind: Kind) -> None:
    """See that the value of a setting is allowed; `what` it is of, such as "parameter", is told.

    Raises:
        EngineError: it is not allowed; says what the C++ backend says, and what is.
    """
    if not re.fullmatch(kind.pattern, value):
        said = kind.refusal.format(name=name, value=value, lower=value.lower())
        raise EngineError(f"{said} ({what} {name}; allowed: {kind.allowed})")


def check_known(what: str, name: str, known: Mapping[str, Kind], refusal: str) -> None:
    """See that a name is known.

    Raises:
        EngineError: it is not; says what the C++ backend says, and which names are.
    """
    if name not in known:
        raise EngineError(f"{refusal.format(name=name)} ({what}; allowed: {', '.join(known)})")


def is_true(value: str) -> bool:
    """What a value of the kind BOOLEAN means."""
    return value.lower() in ("true", "on", "1")

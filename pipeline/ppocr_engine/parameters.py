"""What Triton's C++ backends read of a configuration, as tables, and how each value is checked.

Sources: `src/onnxruntime.cc` of triton-inference-server/onnxruntime_backend and `src/openvino.cc`
of triton-inference-server/openvino_backend, releases r24.10 (the pip wheel's) to r26.04 (the
container's). What those refuse is refused here. `DIFFERENCES` lists where this project's Python
stand-ins for these backends behave otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping

from ppocr_engine.errors import EngineError

#: Kinds of values; a tuple lists the words that are allowed, a list those in any case.
INTEGER, COUNT, BOOLEAN, TEXT = "a whole number", "a number from 0", "true or false", "a text"
Kind = str | tuple[str, ...] | list[str]
BOOLEANS = {"1": True, "true": True, "0": False, "false": False}

#: Entries of `parameters` by backend.
PARAMETERS: Mapping[str, Mapping[str, Kind]] = {
    "onnxruntime": {
        "intra_op_thread_count": INTEGER,
        "inter_op_thread_count": INTEGER,
        "execution_mode": ("0", "1"),
        "enable_mem_arena": BOOLEAN,
        "enable_mem_pattern": BOOLEAN,
        "memory.enable_memory_arena_shrinkage": TEXT,
        "session.use_device_allocator_for_initializers": TEXT,
        "share_session_between_instances": BOOLEAN,
        "cudnn_conv_algo_search": ("0", "1", "2"),
        "gpu_mem_limit": COUNT,
        "arena_extend_strategy": ("0", "1"),
        "do_copy_in_default_stream": BOOLEAN,
    },
    "openvino": {
        "INFERENCE_NUM_THREADS": COUNT,
        "COMPILATION_NUM_THREADS": COUNT,
        "NUM_STREAMS": TEXT,
        "HINT_BF16": ["YES"],
        "PERFORMANCE_HINT": ["LATENCY", "THROUGHPUT"],
        "CPU_EXTENSION_PATH": TEXT,
        "RESHAPE_IO_LAYERS": TEXT,
        "SKIP_OV_DYNAMIC_BATCHSIZE": TEXT,
        "ENABLE_BATCH_PADDING": TEXT,
    },
    "tensorrt": {},
}

#: Options of the CUDA provider that the C++ backend takes from `parameters`, after it has read the
#: `cuda` accelerator: the value there is overwritten, by the default where `parameters` has none.
#: By option the default, and ONNX Runtime's name of each value where it is a number.
CUDA_OPTIONS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "cudnn_conv_algo_search": ("0", {"0": "EXHAUSTIVE", "1": "HEURISTIC", "2": "DEFAULT"}),
    "gpu_mem_limit": (str(2**64 - 1), {}),
    "arena_extend_strategy": ("0", {"0": "kNextPowerOfTwo", "1": "kSameAsRequested"}),
    "do_copy_in_default_stream": ("1", {}),
}

#: Options of the `cuda` accelerator that must be booleans; ONNX Runtime itself checks the others.
CUDA_BOOLEANS = ("do_copy_in_default_stream", "use_ep_level_unified_stream")

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
    "precision_mode": tuple(TENSORRT_PRECISIONS),
    "max_workspace_size_bytes": COUNT,
    "int8_calibration_table_name": TEXT,
    "int8_use_native_calibration_table": BOOLEAN,
    "trt_max_partition_iterations": INTEGER,
    "trt_min_subgraph_size": INTEGER,
    "trt_dla_enable": BOOLEAN,
    "trt_dla_core": INTEGER,
    "trt_engine_cache_enable": BOOLEAN,
    "trt_engine_cache_path": TEXT,
    "trt_engine_cache_prefix": TEXT,
    "trt_dump_subgraphs": BOOLEAN,
    "trt_force_sequential_engine_build": BOOLEAN,
    "trt_context_memory_sharing_enable": BOOLEAN,
    "trt_layer_norm_fp32_fallback": BOOLEAN,
    "trt_timing_cache_enable": BOOLEAN,
    "trt_timing_cache_path": TEXT,
    "trt_force_timing_cache": BOOLEAN,
    "trt_detailed_build_log": BOOLEAN,
    "trt_build_heuristics_enable": BOOLEAN,
    "trt_sparsity_enable": BOOLEAN,
    "trt_builder_optimization_level": INTEGER,
    "trt_auxiliary_streams": INTEGER,
    "trt_tactic_sources": TEXT,
    "trt_extra_plugin_lib_paths": TEXT,
    "trt_profile_min_shapes": TEXT,
    "trt_profile_max_shapes": TEXT,
    "trt_profile_opt_shapes": TEXT,
    "trt_cuda_graph_enable": BOOLEAN,
    "trt_dump_ep_context_model": BOOLEAN,
    "trt_ep_context_file_path": TEXT,
    "trt_ep_context_embed_mode": INTEGER,
}

#: Where the stand-ins differ from the C++ backends: what, there, here.
DIFFERENCES: tuple[tuple[str, str, str], ...] = (
    ("instances", "threads of one process", "a process each"),
    ("share_session_between_instances", "one session for all", "a session each, said in the log"),
    ("openvino NUM_STREAMS", "streams that all instances share", "one stream an instance"),
    ("openvino without HINT_BF16", "the plugin chooses, bfloat16 where it is fast", "float32"),
    ("openvino thread pinning", "the plugin's default", "off: instances would share a core"),
    ("openvino kernel cache", "5000 kernels", "1000, which is as fast and takes less memory"),
    ("openvino ENABLE_BATCH_PADDING", "pads a batch to max_batch_size", "runs the rows there are"),
    ("onnxruntime idle threads", "spin", "sleep: they would take the other instances' cores"),
    ("onnxruntime outputs on a GPU", "in GPU memory", "in CPU memory"),
    ("openvino as a CPU accelerator", "optional in the build", "needs onnxruntime-openvino"),
    ("cc_model_filenames", "chooses a file by compute capability", "the default file, said"),
    ("strings and bfloat16 tensors", "strings are served", "refused"),
    ("sequence batching, batch_input, batch_output", "served", "refused"),
)


def check(what: str, value: str, kind: Kind) -> str:
    """Return a value that is allowed, words and booleans in the spelling of the tables.

    Args:
        what: for the message, such as "parameter execution_mode".
        value: as the configuration has it.
        kind: of the tables above.

    Raises:
        EngineError: it is not allowed; names both.
    """
    if not isinstance(kind, str):
        word = value.upper() if isinstance(kind, list) else value
        if word in kind:
            return word
        allowed = " and ".join(kind)
    elif kind == BOOLEAN:
        if value.lower() in BOOLEANS:
            return value.lower()
        allowed = ", ".join(BOOLEANS)
    elif kind == TEXT or (_is_integer(value) and (kind == INTEGER or int(value) >= 0)):
        return value
    else:
        allowed = kind
    raise EngineError(f"{what} is '{value}'; allowed: {allowed}")


def _is_integer(value: str) -> bool:
    try:
        int(value)
    except ValueError:
        return False
    return True

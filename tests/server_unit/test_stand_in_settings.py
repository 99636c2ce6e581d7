"""Every field of the configuration, translated with the C++ backend's meaning."""

from __future__ import annotations

from typing import Any

import pytest

from ppocr_server.backends.common.config import ConfigurationError
from ppocr_server.backends.onnxruntime.settings import Settings, read_settings


def settings(kind: str = "CPU", device: int = 0, **config: Any) -> Settings:
    return read_settings(config, kind=kind, device=device)


def with_parameters(**parameters: str) -> Settings:
    return settings(parameters={key: {"string_value": text} for key, text in parameters.items()})


def accelerated(kind: str, name: str, on: str = "CPU", **parameters: str) -> Settings:
    entry = {"name": name, "parameters": parameters}
    return settings(
        on, 1, optimization={"execution_accelerators": {f"{kind}_execution_accelerator": [entry]}}
    )


def test_an_empty_configuration_means_the_defaults_of_the_cpp_backend() -> None:
    assert settings() == Settings(providers=[("CPUExecutionProvider", {})])


@pytest.mark.parametrize(
    ("level", "name"),
    [
        (-1, "ORT_ENABLE_BASIC"),
        (0, "ORT_ENABLE_ALL"),
        (1, "ORT_ENABLE_EXTENDED"),
        (2, "ORT_DISABLE_ALL"),
        (99, "ORT_ENABLE_ALL"),
    ],
)
def test_graph_level(level: int, name: str) -> None:
    assert settings(optimization={"graph": {"level": level}}).graph_level == name


def test_threads_and_execution_mode() -> None:
    found = with_parameters(
        intra_op_thread_count="3", inter_op_thread_count="2", execution_mode="1"
    )
    assert (found.intra_op_threads, found.inter_op_threads) == (3, 2)
    assert found.execution_mode == "ORT_PARALLEL"


def test_zero_threads_leave_the_choice_to_onnxruntime() -> None:
    assert with_parameters(intra_op_thread_count="0").intra_op_threads == 0


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("execution_mode", "7", ["execution_mode", "7", "0 and 1"]),
        ("intra_op_thread_count", "two", ["intra_op_thread_count", "'two'"]),
        ("enable_mem_arena", "maybe", ["enable_mem_arena", "'maybe'", "true"]),
    ],
)
def test_a_bad_value_is_named(key: str, value: str, words: list[str]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        with_parameters(**{key: value})
    assert all(word in str(caught.value) for word in words)


def test_memory_options() -> None:
    key = "memory.enable_memory_arena_shrinkage"
    found = with_parameters(enable_mem_arena="0", enable_mem_pattern="TRUE", **{key: "cpu:0"})
    assert (found.mem_arena, found.mem_pattern) == (False, True)
    assert found.run_entries == {key: "cpu:0"}


def test_device_allocator_for_initializers() -> None:
    key = "session.use_device_allocator_for_initializers"
    assert with_parameters(**{key: "1"}).session_entries == {key: "1"}


def test_parameters_of_others_are_none_of_our_business() -> None:
    assert with_parameters(ppocr_buckets="160,320") == settings()


def test_a_gpu_instance_gets_cuda_on_its_device() -> None:
    assert settings("GPU", 2).providers[0] == ("CUDAExecutionProvider", {"device_id": "2"})


def test_gpu_accelerators_are_for_gpu_instances_only() -> None:
    assert accelerated("gpu", "tensorrt").providers == [("CPUExecutionProvider", {})]


def test_tensorrt_comes_before_cuda_with_its_options_translated() -> None:
    found = accelerated(
        "gpu",
        "tensorrt",
        "GPU",
        precision_mode="FP16",
        max_workspace_size_bytes="1024",
        trt_engine_cache_enable="1",
    )
    assert [name for name, _ in found.providers] == [
        "TensorrtExecutionProvider",
        "CUDAExecutionProvider",
        "CPUExecutionProvider",
    ]
    assert found.providers[0][1] == {
        "trt_fp16_enable": "1",
        "trt_max_workspace_size": "1024",
        "trt_engine_cache_enable": "1",
        "device_id": "1",
    }


def test_cuda_options_and_their_deprecated_parameters() -> None:
    found = accelerated("gpu", "cuda", "GPU", use_ep_level_unified_stream="1")
    assert found.providers[0][1] == {"use_ep_level_unified_stream": "1", "device_id": "1"}
    old = settings("GPU", parameters={"cudnn_conv_algo_search": {"string_value": "1"}})
    assert old.providers[0][1]["cudnn_conv_algo_search"] == "HEURISTIC"


def test_openvino_on_the_cpu() -> None:
    assert accelerated("cpu", "openvino").providers == [
        ("OpenVINOExecutionProvider", {"device_type": "CPU"}),
        ("CPUExecutionProvider", {}),
    ]


def test_openvino_parameters_are_named_as_without_effect() -> None:
    assert "openvino" in accelerated("cpu", "openvino", precision="BF16").ignored[0]


@pytest.mark.parametrize(
    ("kind", "name", "on"), [("cpu", "tensorrt", "CPU"), ("gpu", "openvino", "GPU")]
)
def test_an_unknown_accelerator_is_refused(kind: str, name: str, on: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{kind}_execution_accelerator '{name}'"):
        accelerated(kind, name, on)


def test_an_unknown_tensorrt_parameter_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'workspace' is not a parameter"):
        accelerated("gpu", "tensorrt", "GPU", workspace="1")


@pytest.mark.parametrize(
    "config",
    [
        {"sequence_batching": {"direct": {}, "max_sequence_idle_microseconds": 1}},
        {"batch_input": [{"kind": "BATCH_ELEMENT_COUNT"}]},
        {"batch_output": [{"kind": "BATCH_SCATTER_WITH_INPUT_SHAPE"}]},
        {"model_transaction_policy": {"decoupled": True}},
    ],
)
def test_what_cannot_be_done_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="not supported"):
        settings(**config)

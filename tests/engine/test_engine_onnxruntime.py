"""What a configuration asks of ONNX Runtime, translated with the C++ backend's meaning."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ppocr_engine.errors import EngineError
from ppocr_engine.onnxruntime_session import graph_level, providers
from ppocr_engine.spec import EngineSpec


def settings(kind: str = "CPU", device: int = 0, **config: Any) -> EngineSpec:
    found = EngineSpec.read({"backend": "onnxruntime", **config})
    assert found is not None
    return replace(found, device="gpu" if kind == "GPU" else "cpu", device_id=device)


def stored(**parameters: str) -> dict[str, dict[str, str]]:
    return {key: {"string_value": text} for key, text in parameters.items()}


def with_parameters(**parameters: str) -> EngineSpec:
    return settings(parameters=stored(**parameters))


def accelerated(kind: str, name: str, on: str = "CPU", **parameters: str) -> EngineSpec:
    entry = {"name": name, "parameters": parameters}
    return settings(
        on, 1, optimization={"execution_accelerators": {f"{kind}_execution_accelerator": [entry]}}
    )


def test_an_empty_configuration_means_the_defaults_of_the_cpp_backend() -> None:
    assert settings() == EngineSpec()
    assert providers(settings()) == [("CPUExecutionProvider", {})]


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
    assert graph_level(settings(optimization={"graph": {"level": level}})) == name


def test_threads_and_execution_mode() -> None:
    found = with_parameters(
        intra_op_thread_count="3", inter_op_thread_count="2", execution_mode="1"
    )
    assert (found.threads, found.parameters["inter_op_thread_count"]) == (3, "2")
    assert found.execution_mode == "parallel"


def test_zero_threads_leave_the_choice_to_onnxruntime() -> None:
    assert with_parameters(intra_op_thread_count="0").threads == 0


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("execution_mode", "7", ["execution_mode", "7", "0 and 1"]),
        ("intra_op_thread_count", "two", ["intra_op_thread_count", "'two'"]),
        ("enable_mem_arena", "maybe", ["enable_mem_arena", "'maybe'", "true"]),
    ],
)
def test_a_bad_value_is_named(key: str, value: str, words: list[str]) -> None:
    with pytest.raises(EngineError) as caught:
        with_parameters(**{key: value})
    assert all(word in str(caught.value) for word in words)


def test_memory_options() -> None:
    key = "memory.enable_memory_arena_shrinkage"
    found = with_parameters(enable_mem_arena="0", enable_mem_pattern="TRUE", **{key: "cpu:0"})
    assert found.parameters == {"enable_mem_arena": "0", "enable_mem_pattern": "true", key: "cpu:0"}


def test_device_allocator_for_initializers() -> None:
    key = "session.use_device_allocator_for_initializers"
    assert with_parameters(**{key: "1"}).parameters == {key: "1"}


def test_parameters_of_others_are_none_of_our_business() -> None:
    assert with_parameters(ppocr_buckets="160,320") == settings()


def test_a_gpu_instance_gets_cuda_on_its_device() -> None:
    (name, options), *_ = providers(settings("GPU", 2))
    assert (name, options["device_id"]) == ("CUDAExecutionProvider", "2")


def test_gpu_accelerators_are_for_gpu_instances_only() -> None:
    assert providers(accelerated("gpu", "tensorrt")) == [("CPUExecutionProvider", {})]


def test_tensorrt_comes_before_cuda_with_its_options_translated() -> None:
    found = accelerated(
        "gpu",
        "tensorrt",
        "GPU",
        precision_mode="FP16",
        max_workspace_size_bytes="1024",
        trt_engine_cache_enable="1",
    )
    assert [name for name, _ in providers(found)] == [
        "TensorrtExecutionProvider",
        "CUDAExecutionProvider",
        "CPUExecutionProvider",
    ]
    assert providers(found)[0][1] == {
        "trt_fp16_enable": "1",
        "trt_max_workspace_size": "1024",
        "trt_engine_cache_enable": "1",
        "device_id": "1",
    }


CUDA_BY_PARAMETERS = {
    "cudnn_conv_algo_search": ("EXHAUSTIVE", "1", "HEURISTIC"),
    "gpu_mem_limit": ("18446744073709551615", "1000", "1000"),
    "arena_extend_strategy": ("kNextPowerOfTwo", "1", "kSameAsRequested"),
    "do_copy_in_default_stream": ("1", "0", "0"),
}


def cuda_options(spec: EngineSpec) -> dict[str, str]:
    return dict(providers(spec))["CUDAExecutionProvider"]


@pytest.mark.parametrize(("option", "values"), CUDA_BY_PARAMETERS.items())
def test_parameters_and_their_defaults_win_over_the_cuda_accelerator(
    option: str, values: tuple[str, str, str]
) -> None:
    """As in Triton: an option of these is taken from `parameters` alone."""
    default, number, name = values
    assert cuda_options(settings("GPU"))[option] == default
    accelerator = {"name": "cuda", "parameters": {option: name}}
    both = {"execution_accelerators": {"gpu_execution_accelerator": [accelerator]}}
    found = settings("GPU", optimization=both)
    assert cuda_options(found)[option] == default
    assert found.notes == (
        f"{option} of the cuda accelerator: the model's parameters win, set it there",
    )
    found = settings("GPU", parameters=stored(**{option: number}), optimization=both)
    assert cuda_options(found)[option] == name


def test_booleans_of_the_cuda_accelerator_are_checked() -> None:
    with pytest.raises(EngineError, match="cuda's use_ep_level_unified_stream is 'yes'; allowed"):
        accelerated("gpu", "cuda", "GPU", use_ep_level_unified_stream="yes")


def test_other_options_of_the_cuda_accelerator_arrive() -> None:
    found = cuda_options(accelerated("gpu", "cuda", "GPU", use_ep_level_unified_stream="1"))
    assert (found["use_ep_level_unified_stream"], found["device_id"]) == ("1", "1")


def test_openvino_on_the_cpu() -> None:
    assert providers(accelerated("cpu", "openvino")) == [
        ("OpenVINOExecutionProvider", {"device_type": "CPU"}),
        ("CPUExecutionProvider", {}),
    ]


def test_openvino_parameters_are_named_as_without_effect() -> None:
    assert "openvino" in accelerated("cpu", "openvino", precision="BF16").notes[0]


@pytest.mark.parametrize(
    ("kind", "name", "on"), [("cpu", "tensorrt", "CPU"), ("gpu", "openvino", "GPU")]
)
def test_an_unknown_accelerator_is_refused(kind: str, name: str, on: str) -> None:
    with pytest.raises(EngineError, match=f"{kind}_execution_accelerator '{name}'"):
        accelerated(kind, name, on)


@pytest.mark.parametrize("name", ["workspace", "trt_engine_hw_compatible", "trt_no_such_option"])
def test_an_unknown_tensorrt_parameter_is_refused(name: str) -> None:
    with pytest.raises(EngineError, match=f"'{name}' is not a parameter of the tensorrt"):
        accelerated("gpu", "tensorrt", "GPU", **{name: "1"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("precision_mode", "BF16"),
        ("precision_mode", "fp16"),
        ("trt_engine_cache_enable", "perhaps"),
        ("trt_min_subgraph_size", "five"),
        ("max_workspace_size_bytes", "-1"),
    ],
)
def test_a_bad_tensorrt_value_is_named(name: str, value: str) -> None:
    with pytest.raises(EngineError, match=f"tensorrt's {name} is '{value}'; allowed"):
        accelerated("gpu", "tensorrt", "GPU", **{name: value})

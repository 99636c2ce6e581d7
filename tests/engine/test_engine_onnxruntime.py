"""What a configuration asks of ONNX Runtime, translated with the C++ backend's meaning."""

import re
from dataclasses import replace
from typing import Any

import pytest
from cases import cases

from ppocr_engine.errors import EngineError
from ppocr_engine.onnxruntime_session import graph_level, providers
from ppocr_engine.spec import EngineSpec

CASES = cases(__file__)

ON_CPU, ON_GPU = [{"kind": "KIND_CPU"}], [{"kind": "KIND_GPU"}]
CPU_ALONE: list[tuple[str, dict[str, str]]] = [("CPUExecutionProvider", {})]
SHRINKAGE = "memory.enable_memory_arena_shrinkage"
ALLOCATOR = "session.use_device_allocator_for_initializers"


def settings(kind: str = "CPU", device: int = 0, **config: Any) -> EngineSpec:
    found = EngineSpec.read({"backend": "onnxruntime", **config})
    assert found is not None
    return replace(found, device="gpu" if kind == "GPU" else "cpu", device_id=device)


def stored(**parameters: str) -> dict[str, dict[str, str]]:
    return {key: {"string_value": text} for key, text in parameters.items()}


def with_parameters(**parameters: str) -> EngineSpec:
    return settings(parameters=stored(**parameters))


def accelerated(kind: str, name: str, on: str = "CPU", **parameters: str) -> EngineSpec:
    entries = {f"{kind}_execution_accelerator": [{"name": name, "parameters": parameters}]}
    return settings(on, 1, optimization={"execution_accelerators": entries})


def test_an_empty_configuration_means_the_defaults_of_the_cpp_backend():
    assert settings() == EngineSpec()
    assert providers(settings()) == CPU_ALONE


def test_graph_level():
    levels = {-1: "BASIC", 0: "ALL", 1: "EXTENDED", 99: "ALL"}
    for level, name in levels.items():
        found = settings(optimization={"graph": {"level": level}})
        assert graph_level(found) == f"ORT_ENABLE_{name}"
    assert graph_level(settings(optimization={"graph": {"level": 2}})) == "ORT_DISABLE_ALL"


def test_parameters_of_the_engine_are_read_and_those_of_others_none_of_our_business():
    threads = {"intra_op_thread_count": "3", "inter_op_thread_count": "2", "execution_mode": "1"}
    found = with_parameters(**threads)
    assert (found.threads, found.parameters["inter_op_thread_count"]) == (3, "2")
    assert found.execution_mode == "parallel"
    assert with_parameters(intra_op_thread_count="0").threads == 0  # ONNX Runtime chooses
    kept = {"enable_mem_arena": "0", "enable_mem_pattern": "TRUE", SHRINKAGE: "cpu:0"}
    for given in (kept, {ALLOCATOR: "1"}):
        assert with_parameters(**given).parameters == given
    assert with_parameters(ppocr_buckets="160,320") == settings()


@pytest.mark.parametrize(("key", "value", "said"), CASES["values"])
def test_a_bad_value_is_refused_in_the_words_of_the_cpp_backend(key, value, said):
    with pytest.raises(EngineError, match="^" + re.escape(said)):
        settings(parameters=stored(**{key: value}), instance_group=ON_GPU)


def test_what_concerns_gpus_is_not_looked_at_for_instances_on_a_cpu():
    entries = [{"name": "no such thing"}, {"name": "cuda", "parameters": {"nor": "this"}}]
    accelerators = {"execution_accelerators": {"gpu_execution_accelerator": entries}}
    wrong: dict[str, Any] = {
        "parameters": stored(cudnn_conv_algo_search="9", gpu_mem_limit="all"),
        "optimization": accelerators,
    }
    found = settings(instance_group=ON_CPU, **wrong)
    assert providers(found) == CPU_ALONE
    assert found.notes == (
        "accelerator no such thing: no instance is on a GPU",
        "accelerator cuda: no instance is on a GPU",
    )
    for groups in ([], ON_GPU, [{"kind": "KIND_AUTO"}], [*ON_CPU, *ON_GPU]):
        with pytest.raises(EngineError):
            settings(instance_group=groups, **wrong)


def test_parameters_that_this_backend_does_not_read_are_named():
    others = {"enable_cuda_graph": "1", "trt_dla_core": "0", "NUM_STREAMS": "1", "rec_height": "48"}
    found = settings(parameters=stored(**others), optimization={"cuda": {"graphs": True}})
    assert found.parameters == {}
    assert found.notes == (
        "optimization.cuda: only the tensorrt backend reads it",
        "parameter NUM_STREAMS: only the openvino backend reads it",
        "parameter enable_cuda_graph: only the accelerator cuda reads it",
        "parameter trt_dla_core: only the accelerator tensorrt reads it",
    )


def test_a_gpu_instance_gets_cuda_on_its_device_and_its_accelerators():
    (name, options), *_ = providers(settings("GPU", 2))
    assert (name, options["device_id"]) == ("CUDAExecutionProvider", "2")
    assert providers(accelerated("gpu", "tensorrt")) == CPU_ALONE


def test_tensorrt_comes_before_cuda_with_its_options_translated():
    given = {"precision_mode": "FP16", "max_workspace_size_bytes": "1024"}
    cache = {"trt_engine_cache_enable": "1"}
    (first, options), *others = providers(accelerated("gpu", "tensorrt", "GPU", **given, **cache))
    names = [first, *(name for name, _ in others)]
    assert names == [f"{name}ExecutionProvider" for name in ("Tensorrt", "CUDA", "CPU")]
    translated = {"trt_fp16_enable": "1", "trt_max_workspace_size": "1024", "device_id": "1"}
    assert options == translated | cache


CUDA_BY_PARAMETERS = {
    "cudnn_conv_algo_search": ("EXHAUSTIVE", "1", "HEURISTIC"),
    "gpu_mem_limit": ("18446744073709551615", "1000", "1000"),
    "arena_extend_strategy": ("kNextPowerOfTwo", "1", "kSameAsRequested"),
    "do_copy_in_default_stream": ("1", "0", "0"),
}


def cuda_options(spec: EngineSpec) -> dict[str, str]:
    return dict(providers(spec))["CUDAExecutionProvider"]


@pytest.mark.parametrize(("option", "values"), CUDA_BY_PARAMETERS.items())
def test_parameters_and_their_defaults_win_over_the_cuda_accelerator(option, values):
    """As in Triton: an option of these is taken from `parameters` alone."""
    default, number, name = values
    assert cuda_options(settings("GPU"))[option] == default
    found = accelerated("gpu", "cuda", "GPU", **{option: name})
    assert cuda_options(found)[option] == default
    told = f"{option} of the cuda accelerator: the model's parameters win, set it there"
    assert found.notes == (told,)
    found = settings("GPU", parameters=stored(**{option: number}))
    assert cuda_options(found)[option] == name


def test_what_triton_sets_itself_and_empty_values_do_not_arrive_and_others_do():
    given = {"device_id": "7", "has_user_compute_stream": "0", "enable_cuda_graph": "1"}
    found = accelerated("gpu", "cuda", "GPU", **given, use_ep_level_unified_stream="1")
    arrived = cuda_options(found)
    assert "has_user_compute_stream" not in arrived
    assert (arrived["device_id"], arrived["enable_cuda_graph"]) == ("1", "1")
    assert arrived["use_ep_level_unified_stream"] == "1"
    assert [note.split(" ")[0] for note in found.notes] == ["device_id", "has_user_compute_stream"]
    empty = accelerated("gpu", "tensorrt", "GPU", trt_engine_cache_path="")
    assert providers(empty)[0][1] == {"device_id": "1"}


def test_openvino_on_the_cpu_takes_no_parameters():
    accelerator = ("OpenVINOExecutionProvider", {"device_type": "CPU"})
    assert providers(accelerated("cpu", "openvino")) == [accelerator, *CPU_ALONE]
    assert "openvino" in accelerated("cpu", "openvino", precision="BF16").notes[0]


@pytest.mark.parametrize(("accelerator", "name", "value", "said"), CASES["options"])
def test_options_of_an_accelerator_are_checked(accelerator, name, value, said):
    with pytest.raises(EngineError, match="^" + re.escape(said)) as refused:
        accelerated("gpu", accelerator, "GPU", **{name: value})
    named = f"({accelerator}'s {name}; allowed: " in str(refused.value)
    assert named == (not said.lower().startswith("unknown"))


@pytest.mark.parametrize(
    ("kind", "name", "on"), [("cpu", "tensorrt", "CPU"), ("gpu", "openvino", "GPU")]
)
def test_an_unknown_accelerator_is_refused(kind, name, on):
    said = rf"^unknown Execution Accelerator '{name}' is requested \({kind}_execution_accelerator;"
    with pytest.raises(EngineError, match=said):
        accelerated(kind, name, on)

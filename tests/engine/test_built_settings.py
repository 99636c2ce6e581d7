"""Every setting of a built repository stands where Triton's C++ backends read it."""

from typing import Any

import pytest
from google.protobuf import text_format
from onnx import ModelProto, TensorProto, helper
from serving_config.configs import service
from tritonclient.grpc.model_config_pb2 import ModelConfig

from ppocr_converters.repository.configuration import configure
from ppocr_converters.repository.deployment_plan import Plan, load_profile
from ppocr_converters.repository.source import source_repository
from ppocr_engine.config_pbtxt import format_config
from ppocr_engine.onnxruntime_session import providers
from ppocr_engine.spec import EngineSpec

NETWORKS = ("det", "rec", "cls")
CROPS = {"CROPS": ("UINT8", ["batch", 48, "width", 3]), "WIDTHS": ("INT32", ["batch", 1])}
CLASSES = {"INDICES": ("INT32", ["batch", "t"]), "PROBABILITIES": ("FLOAT", ["batch", "t"])}
PORTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "det": (
        {"DET_INPUT": ("UINT8", ["batch", "height", "width", 3])},
        {"PROBABILITY": ("FLOAT", ["batch", "height", "width"])},
    ),
    "rec": (CROPS, CLASSES),
    "cls": (CROPS | {"CROPS": ("UINT8", ["batch", 48, 192, 3])}, CLASSES),
}
FACTS = {"ppocr_name": "a", "ppocr_classes": "97", "ppocr_height": "48"}
#: What the CPU's and the GPU's networks of a configuration are run by.
CPU, CUDA = ["CPUExecutionProvider"], ["CUDAExecutionProvider", "CPUExecutionProvider"]
TENSORRT = ["TensorrtExecutionProvider", *CUDA]


def network(kind: str) -> ModelProto:
    """The ports and the facts of a compiled network; there is nothing between them."""
    ports = [
        [
            helper.make_tensor_value_info(name, getattr(TensorProto, dtype), shape)
            for name, (dtype, shape) in side.items()
        ]
        for side in PORTS[kind]
    ]
    model = helper.make_model(helper.make_graph([], kind, *ports))
    helper.set_model_props(model, FACTS | {"ppocr_kind": kind})
    return model


def from_profile(name: str) -> Plan:
    return load_profile(name, cores=2)


def from_config(**changes: Any) -> Plan:
    """The plan of a config.yml whose three Ops have the same settings."""
    settings = {
        f"op__{op}__local_service_conf__{key}": value
        for op in NETWORKS
        for key, value in changes.items()
    }
    settings["op__cls__local_service_conf__model_config"] = "ch_ppocr_mobile_v2.0_cls"
    return service(**settings).plan


PLANS = {
    "profile cpu": (from_profile("cpu"), CPU),
    "profile cpu-openvino": (from_profile("cpu-openvino"), []),
    "profile cpu-openvino-bf16": (from_profile("cpu-openvino-bf16"), []),
    "profile gpu": (from_profile("gpu"), CUDA),
    "profile tensorrt": (from_profile("tensorrt"), TENSORRT),
    "config.yml": (from_config(), CPU),
    "config.yml, bf16": (from_config(precision="bf16"), []),
    "config.yml, GPU": (from_config(device_type=1, devices="0,1"), CUDA),
    "config.yml, TensorRT": (from_config(device_type=2, devices="0"), TENSORRT),
}


@pytest.fixture(params=list(PLANS.values()), ids=list(PLANS))
def built(request) -> tuple[dict[str, Any], list[str]]:
    """The configurations as they are written, and the providers of their networks."""
    plan, expected = request.param
    configs = configure(source_repository(), {kind: network(kind) for kind in NETWORKS}, plan)
    texts = {name: format_config(config) for name, config in configs.items()}
    return {name: text_format.Parse(text, ModelConfig()) for name, text in texts.items()}, expected


@pytest.mark.parametrize("kind", NETWORKS)
def test_settings_reach_the_engine(built, kind):
    configs, expected = built
    spec = EngineSpec.read(configs[kind])
    assert spec is not None
    assert spec.notes == ()  # nothing is asked for where nobody reads it
    if spec.backend == "openvino":
        assert expected == []
        assert configs[kind].max_batch_size == 0
        return
    found = dict(providers(spec))
    assert list(found) == expected
    if "CUDAExecutionProvider" in expected:
        assert found["CUDAExecutionProvider"]["cudnn_conv_algo_search"] == "HEURISTIC"
        assert found["CUDAExecutionProvider"]["use_tf32"] == "0"  # float32, as on a CPU


def test_python_steps_get_their_inputs_in_the_memory_of_the_cpu(built):
    steps = [config for config in built[0].values() if config.backend == "python"]
    assert len(steps) == 4
    assert not any("FORCE_CPU_ONLY_INPUT_TENSORS" in config.parameters for config in steps)


def test_a_network_on_a_gpu_is_set_up_for_it_beside_a_profile_for_cpus():
    changes = {"op__det__local_service_conf__devices": "0", "triton__profile": "cpu-openvino"}
    models = service(**changes).plan.models
    assert models["det"].parameters == {"cudnn_conv_algo_search": "1"}
    assert str(models["rec"].engine) == "openvino"

"""EngineSpec: what is read from a config.pbtxt and written into it is the same; opened, it runs."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from google.protobuf import text_format
from server_unit.tiny_models import plus_one
from tritonclient.grpc.model_config_pb2 import ModelConfig

from ppocr_engine.config_pbtxt import format_config, read_config
from ppocr_engine.environment import disable_telemetry
from ppocr_engine.errors import EngineError
from ppocr_engine.spec import ENGINES, Accelerator, EngineSpec, engine_named

SPECS = {
    "plain": EngineSpec(),
    "threads": EngineSpec(threads=3),
    "parallel": EngineSpec(threads=2, execution_mode="parallel", graph_level=2),
    "inter-op": EngineSpec(threads=2, parameters={"inter_op_thread_count": "4"}),
    "other file": EngineSpec(file_name="other.onnx", custom_ops=()),
    "memory": EngineSpec(threads=1, parameters={"enable_mem_arena": "0"}),
    "cuda": EngineSpec(device="gpu", parameters={"cudnn_conv_algo_search": "1"}),
    "tensorrt": EngineSpec(
        device="gpu",
        accelerators=(
            Accelerator("gpu", "tensorrt", {"precision_mode": "FP16", "trt_dla_core": "0"}),
            Accelerator("gpu", "cuda"),
        ),
    ),
    "openvino accelerator": EngineSpec(accelerators=(Accelerator("cpu", "openvino"),)),
    "openvino": EngineSpec("openvino", threads=2),
    "bfloat16": EngineSpec("openvino", "bf16", threads=1),
    "openvino's own": EngineSpec("openvino", threads=1, parameters={"PERFORMANCE_HINT": "LATENCY"}),
    "native": EngineSpec("tensorrt", device="gpu", file_name="model.plan"),
}


def base(spec: EngineSpec) -> ModelConfig:
    """A configuration with three instances on the device of a specification."""
    kind = "KIND_GPU" if spec.device == "gpu" else "KIND_CPU"
    text = f'name: "net" backend: "onnxruntime" instance_group {{ kind: {kind} count: 3 }}'
    return text_format.Parse(text, ModelConfig())


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_what_is_written_is_read_again(spec):
    config = base(spec)
    spec.write(config)
    assert EngineSpec.read(config) == spec
    text = format_config(config)
    spec.write(config)
    assert format_config(config) == text


@pytest.mark.parametrize("before", SPECS.values(), ids=SPECS)
def test_nothing_of_another_engine_stays(before):
    after = EngineSpec("openvino", "bf16", threads=2)
    config, expected = base(after), base(after)
    before.write(config)
    for one in (config, expected):
        one.parameters["languages"].string_value = "en"  # of a step, not of an engine
        after.write(one)
    config.ClearField("optimization")  # empty by now, but there
    assert format_config(config) == format_config(expected)


def test_steps_and_ensembles_have_no_engine():
    assert EngineSpec.read({"backend": "python"}) is None
    assert EngineSpec.read({"platform": "ensemble"}) is None
    assert EngineSpec.read({"platform": "onnxruntime_onnx"}) == EngineSpec()


def test_engines_go_by_names():
    assert list(ENGINES) == ["onnxruntime", "openvino", "openvino-bf16", "cuda", "tensorrt"]
    assert engine_named("openvino", 3) == EngineSpec("openvino", threads=3)
    assert all(str(engine_named(name, 2)) == name for name in ENGINES)
    with pytest.raises(EngineError, match="no engine is called 'tpu'; allowed: onnxruntime, open"):
        engine_named("tpu")


@pytest.fixture
def network(tmp_path) -> Path:
    onnx.save(plus_one(), tmp_path / "model.onnx")
    return tmp_path / "model.onnx"


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_several_threads_may_run_one_session(network, name):
    session = engine_named(name, 1).open(network, streams=3)
    together = threading.Barrier(3)

    def ask(value: int) -> np.ndarray:
        together.wait()
        return session({"X": np.full((1, 5000), value, np.float32), "other": np.zeros(1)})[0]

    with ThreadPoolExecutor(3) as pool:
        for _ in range(20):
            assert [found[0, 0] for found in pool.map(ask, range(3))] == [1, 2, 3]


def test_what_is_not_here_is_said(network):
    with pytest.raises(EngineError, match="needs CUDAExecutionProvider"):
        engine_named("cuda").open(network)
    with pytest.raises(EngineError, match="run by Triton alone"):
        EngineSpec("tensorrt").open(network)
    network.write_bytes(b"no model")
    for name in ("onnxruntime", "openvino"):
        with pytest.raises(EngineError, match=rf"{name} \S+ cannot load .*model\.onnx"):
            engine_named(name).open(network)


OPEN = """
import sys
from pathlib import Path
from ppocr_engine.spec import engine_named

engine_named(sys.argv[1], 1).open(Path(sys.argv[2]))
assert not any(name.startswith("openvino_telemetry.") for name in sys.modules)
"""


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_an_engine_keeps_no_usage_data(network, tmp_path, name):
    home = tmp_path / "home"
    home.mkdir()
    environment = {**os.environ, "HOME": str(home)}
    subprocess.run([sys.executable, "-c", OPEN, name, network], env=environment, check=True)
    assert not list(home.rglob("*"))


def test_telemetry_is_off_whatever_the_environment_said():
    environment = {"ORT_DISABLE_TELEMETRY": "0", "PATH": "/bin"}
    disable_telemetry(environment)
    assert environment == {"ORT_DISABLE_TELEMETRY": "1", "PATH": "/bin"}


def test_a_broken_configuration_names_its_line(tmp_path):
    broken = tmp_path / "config.pbtxt"
    broken.write_text('name: "x"\nno_such_field: 1\n')
    with pytest.raises(EngineError, match=r"config\.pbtxt is not a valid .*line 2"):
        read_config(broken)

"""What a configuration asks of OpenVINO, translated with the C++ backend's meaning."""

from typing import Any

import pytest
from cases import cases

from ppocr_engine.errors import EngineError
from ppocr_engine.machine import available_cores
from ppocr_engine.openvino_session import properties
from ppocr_engine.reader import declared_shapes
from ppocr_engine.spec import EngineSpec

CASES = cases(__file__)


def settings(
    *, kind: str = "KIND_CPU", instances: int = 1, more: Any = (), **parameters: str
) -> EngineSpec:
    config = {
        "backend": "openvino",
        "instance_group": [{"count": instances, "kind": kind}],
        "parameters": {key: {"string_value": text} for key, text in parameters.items()},
        **dict(more),
    }
    found = EngineSpec.read(config)
    assert found is not None
    return found


def test_an_empty_configuration_is_float32_and_leaves_threads_to_openvino():
    assert settings() == EngineSpec("openvino", file_name="model.xml")
    assert properties(settings())["INFERENCE_PRECISION_HINT"] == "f32"
    assert "INFERENCE_NUM_THREADS" not in properties(settings())
    assert properties(settings())["CPU_RUNTIME_CACHE_CAPACITY"] < 5000  # OpenVINO's own


@pytest.mark.parametrize(("threads", "streams", "instances", "own"), CASES["threads"])
def test_an_instance_gets_its_part_of_the_threads(threads, streams, instances, own):
    found = settings(instances=instances, INFERENCE_NUM_THREADS=threads, NUM_STREAMS=streams)
    assert found.threads == own
    assert properties(found)["INFERENCE_NUM_THREADS"] == own
    assert properties(found)["NUM_STREAMS"] == 1


def test_instances_part_the_cores_where_no_number_is_given():
    assert settings(instances=100).threads == 1
    assert settings(NUM_STREAMS="1").threads == 0
    cores = available_cores()
    assert settings(instances=cores, NUM_STREAMS=str(cores)).threads == 1


def test_bfloat16_is_asked_for():
    assert settings(HINT_BF16="yes").precision == "bf16"
    assert properties(settings(HINT_BF16="YES"))["INFERENCE_PRECISION_HINT"] == "bf16"


def test_the_other_parameters():
    found = settings(
        PERFORMANCE_HINT="latency",
        COMPILATION_NUM_THREADS="3",
        CPU_EXTENSION_PATH="/opt/more.so",
        RESHAPE_IO_LAYERS="YES",
        more={"input": [{"name": "X", "dims": ["48", "-1"]}]},
    )
    assert found.parameters["PERFORMANCE_HINT"] == "latency"
    assert found.parameters["CPU_EXTENSION_PATH"] == "/opt/more.so"
    assert found.shapes == {"X": (48, -1)}
    assert properties(found)["PERFORMANCE_HINT"] == "LATENCY"
    assert properties(found)["COMPILATION_NUM_THREADS"] == 3


def test_batches_need_neither_padding_nor_reshaping():
    found = settings(ENABLE_BATCH_PADDING="YES", SKIP_OV_DYNAMIC_BATCHSIZE="YES")
    assert [note.split(":")[0] for note in found.notes] == [
        "SKIP_OV_DYNAMIC_BATCHSIZE",
        "ENABLE_BATCH_PADDING",
    ]


@pytest.mark.parametrize(("key", "value", "said"), CASES["refused"])
def test_a_bad_value_is_refused_in_the_words_of_the_cpp_backend(key, value, said):
    words = f"^expected the parameter '{key}' to be {said} \\(parameter {key}; allowed: "
    with pytest.raises(EngineError, match=words):
        settings(more={"parameters": {key: {"string_value": value}}})


def test_an_empty_value_counts_as_left_out():
    assert settings(HINT_BF16="", NUM_STREAMS="", PERFORMANCE_HINT="") == settings()


def test_what_has_no_effect_is_named():
    accelerated = {"cpu_execution_accelerator": [{"name": "openvino"}]}
    more = {"optimization": {"execution_accelerators": accelerated}, "max_batch_size": 8}
    found = settings(more=more, TARGET_DEVICE="GPU", intra_op_thread_count="2")
    assert found.notes == (
        "execution_accelerators: only the onnxruntime backend reads them",
        "max_batch_size 8: a request of fewer rows is refused; set it to 0",
        "TARGET_DEVICE: newer releases read it; here and in r24.10 the CPU computes",
        "parameter intra_op_thread_count: only the onnxruntime backend reads it",
    )


def test_a_gpu_is_refused():
    said = r"', Triton openVINO backend supports only CPU device \(instance_group kind is KIND_GPU;"
    with pytest.raises(EngineError, match=said):
        settings(kind="KIND_GPU")


def test_declared_shapes_have_the_batch_dimension_of_a_batching_model():
    entries = [{"name": "X", "dims": ["48", "-1", "3"]}, {"name": "W", "dims": ["1"]}]
    assert declared_shapes({"max_batch_size": 4, "input": entries}) == {
        "X": (-1, 48, -1, 3),
        "W": (-1, 1),
    }
    assert declared_shapes({"max_batch_size": 0, "input": entries[1:]}) == {"W": (1,)}

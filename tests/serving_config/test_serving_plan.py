"""What a configuration becomes: instances, devices, batching, queues, engine, ports."""

from collections import Counter
from typing import Any

import pytest
from cases import cases
from hypothesis import given
from hypothesis import strategies as st
from serving_config.configs import DET_OP, REC_OP, service

from ppocr_converters.repository.deployment_plan import apply, load_profile
from ppocr_converters.repository.serving_config.keys import ConfigError
from ppocr_converters.repository.serving_config.ops import parse_cards, round_robin
from ppocr_converters.repository.serving_config.service import Service
from ppocr_converters.repository.source import source_repository
from ppocr_engine.config_pbtxt import read_config

CASES = cases(__file__)

LOCAL = "op__det__local_service_conf__"


def config_of(found: Service, model: str) -> Any:
    """The `ModelConfig` that is served."""
    config = read_config(source_repository() / model / "config.pbtxt")
    apply(config, found.plan.models[model])
    return config


def groups(found: Service, model: str) -> list[tuple[int, str, list[int]]]:
    config = config_of(found, model)
    kinds = {1: "GPU", 2: "CPU"}
    return [(g.count, kinds[g.kind], list(g.gpus)) for g in config.instance_group]


def parameter(found: Service, model: str, name: str) -> str:
    return str(config_of(found, model).parameters[name].string_value)


@given(st.integers(1, 200), st.lists(st.integers(0, 15), min_size=1, max_size=8))
def test_instance_i_runs_on_card_i_mod_n(count, cards):
    expected = Counter(cards[i % len(cards)] for i in range(count))
    placed = round_robin(count, cards)
    assert {group.gpus[0]: group.count for group in placed} == expected
    assert sum(group.count for group in placed) == count
    assert all(group.kind == group.KIND_GPU and group.count > 0 for group in placed)
    if len(set(cards)) == len(cards):
        assert max(expected.values()) - min(expected.values()) <= 1


def test_cards_are_read_from_text():
    assert parse_cards("") == parse_cards("  ") == ()
    assert parse_cards("0, 1,12") == (0, 1, 12)


@pytest.mark.parametrize(
    ("changes", "counts"),
    CASES["instances"],
    ids=["of the op", "of the network", "workers share", "of each worker"],
)
def test_instances_are_those_of_the_op_its_network_or_each_worker(changes, counts):
    found = service(**changes)
    models = (*DET_OP, *REC_OP)
    assert [groups(found, model) for model in models] == [[(count, "CPU", [])] for count in counts]
    assert set(found.plan.models) == set(models)


@pytest.mark.parametrize(("changes", "name", "values"), CASES["parameters"])
def test_keys_become_parameters_of_their_models(changes, name, values):
    found = service(**changes)
    assert {model: parameter(found, model, name) for model in values} == values


@pytest.mark.parametrize(("changes", "det", "rec"), CASES["engines"])
def test_the_engine_is_onnx_runtime_unless_profile_or_precision_names_another(changes, det, rec):
    models = service(**changes).plan.models
    engines = [str(models[name].engine) for name in ("det", "rec", "recognize")]
    assert engines == [det, rec, "None"]


@pytest.mark.parametrize(("changes", "expected"), CASES["endpoints"])
def test_the_old_endpoints_are_what_the_keys_say(changes, expected):
    endpoints = service(**changes).endpoints
    assert {name: endpoints[name] for name in expected} == expected


@pytest.mark.parametrize(("changes", "reason"), CASES["refused"])
def test_what_cannot_be_is_refused(changes, reason):
    with pytest.raises(ConfigError, match=reason):
        service(**changes)


@pytest.mark.parametrize(("delay", "merged"), [(-1, False), (0, True), (500, True)])
def test_calls_of_the_recogniser_wait_as_told(delay, merged):
    found = service(op__rec__batch_size=4, triton__rec_max_queue_delay_microseconds=delay)
    rec = config_of(found, "rec")
    assert rec.HasField("dynamic_batching") == merged
    assert rec.dynamic_batching.max_queue_delay_microseconds == max(0, delay)
    assert not config_of(found, "det").HasField("dynamic_batching")


@pytest.mark.parametrize(("device_type", "devices", "kind"), CASES["devices"])
def test_device_type_decides_or_leaves_it_to_devices(device_type, devices, kind):
    found = service(**{f"{LOCAL}device_type": device_type, f"{LOCAL}devices": devices})
    assert groups(found, "det") == [(1, kind, [1] if kind == "GPU" else [])]
    accelerators = config_of(found, "det").optimization.execution_accelerators
    names = [entry.name for entry in accelerators.gpu_execution_accelerator]
    on_gpu = ["tensorrt", "cuda"] if device_type == 2 else ["cuda"]
    assert names == (on_gpu if kind == "GPU" else [])
    assert parameter(found, "det", "cudnn_conv_algo_search") == ("1" if kind == "GPU" else "")
    ignored = "op.det.local_service_conf.devices" in found.warnings
    assert ignored == (kind == "CPU" and devices != "")


@pytest.mark.parametrize(("size", "smallest"), [(5, "5"), (0, "1")])
def test_tensorrt_gets_its_smallest_subgraph_and_takes_the_precision_of_the_file(size, smallest):
    changes = {"device_type": 2, "devices": "0", "precision": "fp16", "min_subgraph_size": size}
    found = service(**{LOCAL + name: value for name, value in changes.items()})
    (accelerator, _cuda) = config_of(
        found, "det"
    ).optimization.execution_accelerators.gpu_execution_accelerator
    parameters = dict(accelerator.parameters)
    assert "precision_mode" not in parameters
    assert parameters["trt_min_subgraph_size"] == smallest
    assert parameters["trt_engine_cache_enable"] == "1"  # as the profile has it
    assert found.plan.models["det"].shapes == load_profile("tensorrt").models["det"].shapes
    assert found.plan["det"].file_precision == "fp16"


@pytest.mark.parametrize(
    ("precision", "devices", "converted"),
    [
        ("fp32", "0", "fp32"),
        ("fp16", "0", "fp16"),
        ("int8", "0", "int8"),
        ("fp16", "", "fp16"),
        ("bf16", "", "fp32"),  # OpenVINO itself rounds
    ],
)
def test_a_precision_is_what_the_network_is_converted_to(precision, devices, converted):
    found = service(**{f"{LOCAL}precision": precision, f"{LOCAL}devices": devices})
    assert [found.plan[op].file_precision for op in ("det", "rec")] == [converted, "fp32"]


@pytest.mark.parametrize(("ir_optim", "level"), [(None, 0), (True, 0), (False, 2)])
def test_the_graph_is_optimised_unless_false_is_written(ir_optim, level):
    found = service(**{f"{LOCAL}ir_optim": ir_optim})
    assert config_of(found, "det").optimization.graph.level == level


def test_openvino_shares_its_threads_and_streams_among_the_instances():
    changes = {"op__det__concurrency": 3, f"{LOCAL}thread_num": 2, f"{LOCAL}mem_optim": False}
    found = service(**changes, triton__profile="cpu-openvino-bf16")
    config = config_of(found, "det")
    assert (config.backend, config.default_model_filename) == ("openvino", "model.onnx")
    assert {name: value.string_value for name, value in config.parameters.items()} == {
        "NUM_STREAMS": "3",
        "INFERENCE_NUM_THREADS": "6",
        "HINT_BF16": "YES",
    }


def test_openvino_merges_nothing():
    found = service(op__rec__batch_size=4, op__rec__timeout=9, triton__profile="cpu-openvino")
    config = config_of(found, "rec")
    assert (config.max_batch_size, list(config.input[0].dims)) == (0, [-1, 48, -1, 3])
    assert not config.dynamic_batching.preferred_batch_size
    assert config.dynamic_batching.default_queue_policy.default_timeout_microseconds == 9000
    assert "runs each request by itself" in found.warnings["op.rec.batch_size"]


def test_without_batch_size_and_limits_there_is_no_batcher():
    found = service()
    assert not any(config_of(found, m).HasField("dynamic_batching") for m in DET_OP + REC_OP)


def test_batch_size_and_its_timeout_become_the_dynamic_batcher():
    found = service(op__det__batch_size=16, op__det__auto_batching_timeout=3, op__rec__batch_size=4)
    det = config_of(found, "det")
    assert list(det.dynamic_batching.preferred_batch_size) == [16]
    assert det.dynamic_batching.max_queue_delay_microseconds == 3000
    assert det.max_batch_size == 16
    rec = config_of(found, "rec")
    assert list(rec.dynamic_batching.preferred_batch_size) == [4]  # lines, one a call
    assert rec.dynamic_batching.max_queue_delay_microseconds == 0
    assert rec.max_batch_size == 64
    assert "for ever" in found.warnings["op.rec.auto_batching_timeout"]
    assert not config_of(found, "det_preprocess").HasField("dynamic_batching")


def test_limits_of_queues_do_not_merge_requests():
    found = service(dag__channel_size=10, op__det__timeout=2500)
    for model, size in (("det_preprocess", 10), ("det", 0), ("det_postprocess", 0)):
        policy = config_of(found, model).dynamic_batching.default_queue_policy
        assert policy.max_queue_size == size
        assert policy.default_timeout_microseconds == 2_500_000
        assert policy.timeout_action == policy.REJECT
    det = config_of(found, "det")
    assert list(det.dynamic_batching.preferred_batch_size) == [1]
    assert config_of(found, "recognize").dynamic_batching.default_queue_policy.max_queue_size == 10
    assert not config_of(found, "rec").HasField("dynamic_batching")
    assert "instead of holding it back" in found.warnings["dag.channel_size"]


def test_free_ports_do_not_clash():
    free = {f"triton__{name}_port": 0 for name in ("http", "grpc", "metrics")}
    found = service(**free)
    assert found.triton_ports == {"http": 0, "grpc": 0, "metrics": 0}


def test_keys_without_an_equivalent_warn_when_they_say_anything():
    found = service(
        dag__is_thread_op=False,
        grpc_gateway_port=5000,
        **{f"{LOCAL}use_mkldnn": True, f"{LOCAL}mkldnn_op_list": ["conv2d"]},
    )
    prefix = "op.det.local_service_conf"
    assert set(found.warnings) == {
        "dag.is_thread_op",
        "grpc_gateway_port",
        f"{prefix}.use_mkldnn",
        f"{prefix}.mkldnn_op_list",
    }
    assert service(dag__is_thread_op=True, dag__retry=1).warnings == {}


def test_keys_that_others_make_idle_warn():
    changes = {"use_calib": True, "min_subgraph_size": 4}
    found = service(
        op__det__auto_batching_timeout=5, **{LOCAL + name: v for name, v in changes.items()}
    )
    assert set(found.warnings) == {
        "op.det.auto_batching_timeout",
        "op.det.local_service_conf.use_calib",
        "op.det.local_service_conf.min_subgraph_size",
    }

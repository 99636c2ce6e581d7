"""Configurations built for real: what is in config.pbtxt, and what Triton says it runs."""

import json
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from paths import SAMPLES
from serving_config.configs import DET, DET_OP, REC, REC_OP, document, small
from work_folders import ONE_PICTURE

from ppocr_client import OcrClient
from ppocr_converters.cli import main
from ppocr_converters.graph.onnx_model import OnnxFile
from ppocr_converters.repository.layout import assemble
from ppocr_converters.repository.serving_config.service import plan_service
from ppocr_converters.repository.source import source_repository
from ppocr_engine.config_pbtxt import read_config
from ppocr_server.tritonserver.server import TritonServer

ENSEMBLES = ("ocr", "detect", "docling")
# Five configurations: what differs from the smallest one, and the instances of det and rec.
FIVE: list[tuple[dict[str, Any], int, int]] = [
    ({}, 1, 1),
    ({"op__det__concurrency": 6, "op__rec__concurrency": 3}, 6, 3),
    ({"op__det__concurrency": 2, "worker_num": 3, "build_dag_each_worker": True}, 6, 3),
    ({"op__det__concurrency": 2, "op__rec__concurrency": 4}, 2, 4),
    ({"op__det__concurrency": 3, "op__rec__batch_size": 2, "dag__channel_size": 5}, 3, 1),
]


def assembled(data: dict[str, Any], repository: Path, folder: Path) -> dict[str, int]:
    """The instances of each model of a configuration that was made a repository of."""
    plan = plan_service(document(data)).plan
    built = repository.parent / "onnx"
    names = {"det": DET, "rec": REC}
    networks = {kind: OnnxFile(built / name / "model.onnx") for kind, name in names.items()}
    summary = assemble(folder, source_repository(), networks, plan)["summary"]
    return {row["model"]: row["instances"] for row in summary}


@pytest.mark.server
@pytest.mark.parametrize(
    ("changes", "det", "rec"),
    [pytest.param(*one, marks=() if one[1:] == (2, 4) else pytest.mark.nightly) for one in FIVE],
)
def test_triton_runs_the_counts_of_five_configurations(changes, det, rec, repository, tmp_path):
    expected = dict.fromkeys(DET_OP, det) | dict.fromkeys(REC_OP, rec)
    folder = tmp_path / "repository"
    data = small(**changes, triton__profile="cpu-onnxruntime")
    counts = assembled(data, repository, folder)
    assert counts == expected | dict.fromkeys(ENSEMBLES, 0) | {"admit": 1}
    with TritonServer(folder, grace=0) as server:
        assert running_instances(server, expected) == expected


def running_instances(server: TritonServer, models: Iterable[str]) -> dict[str, int]:
    """The instances of each model: what Triton has configured, and how many said they are up."""
    counts = {}
    for name in models:
        config = get(server.http_url, f"models/{name}/config")
        assert {group["kind"] for group in config["instance_group"]} == {"KIND_CPU"}
        counts[name] = sum(group["count"] for group in config["instance_group"])
        # Every instance writes a line of its own when it is ready.
        loaded = {
            line.rsplit(" ", 3)[0]
            for line in server.log().splitlines()
            if f"TRITONBACKEND_ModelInstanceInitialize: {name}_0_" in line
        }
        assert len(loaded) == counts[name]
    return counts


@pytest.mark.parametrize(("left", "counts"), [("det", (3, 1)), ("rec", (1, 3))])
def test_a_service_of_one_op_is_a_whole_repository(left, counts, repository, tmp_path):
    data = small(op__det__concurrency=3, op__rec__concurrency=3)
    data["op"] = {left: data["op"][left]}
    found = assembled(data, repository, tmp_path / "repository")
    assert found == dict.fromkeys(DET_OP, counts[0]) | dict.fromkeys(REC_OP, counts[1]) | {
        "admit": 1,
        **dict.fromkeys(ENSEMBLES, 0),
    }


def test_gpu_placements_are_in_the_text(repository, tmp_path):
    """No GPU is needed to see where instances would be put."""
    local = {"devices": "0,1,2", "device_type": 2}
    changes = {f"op__det__local_service_conf__{name}": value for name, value in local.items()}
    changes["op__rec__local_service_conf__precision"] = "bf16"
    data = small(op__det__concurrency=7, **changes)
    assembled(data, repository, tmp_path / "repository")
    text = (tmp_path / "repository" / "det" / "config.pbtxt").read_text("utf-8")
    groups = [
        f"instance_group {{\n  count: {n}\n  gpus: [{card}]\n  kind: KIND_GPU\n}}\n"
        for n, card in ((3, 0), (2, 1), (2, 2))
    ]
    assert "".join(groups) in text
    assert 'gpu_execution_accelerator {\n      name: "tensorrt"' in text
    for step in ("det_preprocess", "det_postprocess", "recognize", "rec"):
        text = (tmp_path / "repository" / step / "config.pbtxt").read_text("utf-8")
        assert "KIND_GPU" not in text
        assert "kind: KIND_CPU" in text


@pytest.fixture(scope="module")
def configured(repository, tmp_path_factory) -> Path:
    """The repository that `build --config` makes of a small configuration."""
    folder = tmp_path_factory.mktemp("configured")
    changes = {"op__det__concurrency": 2, "op__det__timeout": 60000, "op__rec__batch_size": 2}
    more = {
        "op__rec__concurrency": 1,
        "op__rec__auto_batching_timeout": 1,
        "dag__channel_size": 40,
        "triton__det_db_box_thresh": 0.55,
        "op__det__local_service_conf__thread_num": 1,
        "triton__profile": "cpu-openvino",
    }
    config = folder / "config.yml"
    config.write_text(yaml.safe_dump(small(**changes, **more)), "utf-8")
    out = folder / "repository"
    command = ["build", "--config", str(config), "--work", str(repository.parent), *ONE_PICTURE]
    assert main([*command, "--out", str(out)]) == 0
    return out


@pytest.mark.server
def test_triton_runs_what_the_configuration_says(configured, samples):
    with TritonServer(configured, grace=0) as server:
        expected = dict.fromkeys(DET_OP, 2) | dict.fromkeys(REC_OP, 1)
        assert running_instances(server, expected) == expected
        with OcrClient(f"grpc://{server.grpc_url}") as client:
            result = client.read(SAMPLES / "poster_zh.jpg")
        assert [line.text for line in result.lines] == samples["poster_zh.jpg"]
        for name in (*DET_OP, *REC_OP):
            stats = get(server.http_url, f"models/{name}/stats")["model_stats"][0]
            assert stats["inference_stats"]["success"]["count"] >= 1
        rec = get(server.http_url, "models/rec/config")  # by OpenVINO, which merges nothing
        assert (rec["max_batch_size"], rec["input"][0]["dims"]) == (0, [-1, 48, -1, 3])
        assert rec["dynamic_batching"].get("preferred_batch_size", []) == []
        policy = get(server.http_url, "models/det/config")["dynamic_batching"]
        assert policy["default_queue_policy"]["default_timeout_microseconds"] == 60_000_000
        entrance = get(server.http_url, "models/det_preprocess/config")["dynamic_batching"]
        assert entrance["default_queue_policy"]["max_queue_size"] == 40


def get(http_url: str, path: str) -> Any:
    with urllib.request.urlopen(f"http://{http_url}/v2/{path}") as answer:
        return json.load(answer)


def test_a_second_build_has_nothing_to_do(configured, repository, capsys):
    config = configured.parent / "config.yml"
    command = ["build", "--config", str(config), "--work", str(repository.parent), *ONE_PICTURE]
    assert main([*command, "--out", str(configured)]) == 0
    assert "is up to date" in capsys.readouterr().out
    parameters = read_config(configured / "det_postprocess" / "config.pbtxt").parameters
    assert parameters["det_db_box_thresh"].string_value == "0.55"
    assert parameters["reference"].string_value == "paddle_serving"

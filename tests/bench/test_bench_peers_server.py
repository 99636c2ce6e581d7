"""The bare networks on both engines, and the peers benchmark on the real server."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from paths import SAMPLES

from ppocr_bench.cli import main
from ppocr_bench.networks import Networks, lines_of, read_setting
from ppocr_bench.record import BenchError
from ppocr_bench.target import endpoint
from ppocr_engine.config_pbtxt import read_config, set_parameter, write_config

PICTURE = SAMPLES / "poster_zh.jpg"


@pytest.fixture(scope="module")
def served_by_openvino(repository, tmp_path_factory) -> Path:
    """The built repository, with OpenVINO named in place of ONNX Runtime."""
    folder = tmp_path_factory.mktemp("openvino") / "repository"
    shutil.copytree(repository, folder)
    for name in ("det", "rec"):
        path = folder / name / "config.pbtxt"
        config = read_config(path)
        config.backend, config.default_model_filename = "openvino", "model.onnx"
        config.parameters.clear()
        set_parameter(config, "NUM_STREAMS", 2)
        set_parameter(config, "INFERENCE_NUM_THREADS", 2)
        write_config(path, config)
    return folder


@pytest.mark.server
def test_both_engines_run_the_same_networks(repository, served_by_openvino):
    picture = PICTURE.read_bytes()
    one, other = Networks(repository, single=True), Networks(served_by_openvino)
    assert {(s.spec.threads, s.instances) for s in one.settings.values()} == {(1, 1)}
    assert {s.spec.backend for s in other.settings.values()} == {"openvino"}
    _, work = one.read(picture)
    assert lines_of(work) == lines_of(other.read(picture)[1]) > 3
    (name, feed), *rest = work
    assert name == "det"
    found, same = (networks.sessions[name](feed)[0] for networks in (one, other))
    assert np.abs(found - same).max() < 1e-3
    for name, feed in rest[:3]:
        indices, probabilities = one.sessions[name](feed)
        other_indices, other_probabilities = other.sessions[name](feed)
        assert np.array_equal(indices, other_indices)
        assert np.abs(probabilities - other_probabilities).max() < 1e-3
    other.run(work)


@pytest.mark.server
def test_precision_and_threads_are_those_of_the_configuration(served_by_openvino, tmp_path):
    (tmp_path / "det").mkdir()
    config = read_config(served_by_openvino / "det" / "config.pbtxt")
    set_parameter(config, "HINT_BF16", "YES")
    set_parameter(config, "INFERENCE_NUM_THREADS", 8)
    write_config(tmp_path / "det" / "config.pbtxt", config)
    setting = read_setting(tmp_path, "det")
    assert (str(setting.spec), setting.spec.threads) == ("openvino-bf16", 4)
    config.backend = "tensorrt"
    write_config(tmp_path / "det" / "config.pbtxt", config)
    with pytest.raises(BenchError, match="tensorrt"):
        read_setting(tmp_path, "det")


@pytest.mark.server
@pytest.mark.nightly
def test_ours_beside_the_bare_networks_and_an_old_service(server, repository, capsys):
    """The old ports stand in for Paddle Serving, whose answers they give."""
    command = ["peers", "--json", "--repository", str(repository), "--peers", "bound"]
    command += ["--onnx", str(repository.parent / "onnx"), "--kinds", "plain", "--limit", "1"]
    command += ["--clients", "1,2", "--rounds", "1", "--seconds", "0.2"]
    with endpoint(f"grpc://{server.grpc_url}") as front:
        old = front.urls
        assert main([*command, "--paddle-serving", old["paddle-rpc"]]) == 0
    report = json.loads(capsys.readouterr().out)
    rows = report["tables"]["peers"]["rows"]
    mine, served = "this server", f"Paddle Serving, {old['paddle-rpc']}"
    loads = {(row["clients"], row["peer"]) for row in rows}
    assert loads == {(1, mine), (1, served), (2, mine), (2, "bare networks"), (2, served)}
    for row in rows:
        assert min(row["pictures_per_second"], row["times"], row["p50_ms"]) > 0
        if row["peer"] == mine:
            assert row["peak_memory_mib"] > 500
            assert row["first_answer_s"] > 1
            assert row["end_to_end_percent"] > 80
    assert report["notes"] == []
    assert report["settings"]["pictures"] == ["plain_0_zh.png"]

"""Bundles for machines without a network: packed, unpacked, run, resumed; on the CPU provider."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from paths import ROOT, SAMPLES

from ppocr_bench.cli import main
from ppocr_bench.gpu.reference import compare
from ppocr_bench.gpu.run import TO_STOP, ended

CPU = ["--provider", "cpu", "--scenes", "sparse"]
LOAD = ["--clients", "1,2", "--seconds", "0.2"]
PIECE = 10**6

pytestmark = pytest.mark.server


def pack(bundle: Path, repository: Path, *options: str) -> int:
    samples = ["--samples", str(SAMPLES), "--piece-mb", "1"]
    return main(
        ["gpu", "pack", str(bundle), "--repository", str(repository), *samples, *CPU, *options]
    )


@pytest.fixture(scope="module")
def bundle(repository, tmp_path_factory) -> Path:
    """One scene of one picture, for a machine that has the packages."""
    folder = tmp_path_factory.mktemp("gpu") / "bundle"
    assert pack(folder, repository, "--no-runtime") == 0
    return folder


@pytest.fixture(scope="module")
def out(bundle) -> Path:
    """The results of a run."""
    folder = bundle.with_name("out")
    assert unpack_and_run(bundle, folder) == 0
    return folder


def unpack_and_run(bundle: Path, out: Path) -> int:
    return subprocess.run(["sh", str(bundle / "run.sh"), str(out), *CPU, *LOAD]).returncode


def kept(out: Path, stage: str) -> Any:
    return json.loads((out / f"{stage}.json").read_text("utf-8"))


def test_no_piece_is_larger_than_allowed(bundle):
    sizes = [path.stat().st_size for path in sorted(bundle.glob("piece-*"))]
    assert len(sizes) > 2
    assert set(sizes[:-1]) == {PIECE}
    assert 0 < sizes[-1] <= PIECE


def test_answers_load_steps_and_bound_are_measured(out):
    serve, bound = kept(out, "serve-fp32"), kept(out, "bound-fp32")
    answers = serve["answers"]
    assert (answers["problems"], answers["lines"]) == ([], 2)
    assert [(point["scene"], point["concurrency"]) for point in serve["points"]] == [
        ("sparse", 1),
        ("sparse", 2),
    ]
    for point in serve["points"]:
        assert point["pictures_per_second"] > 0
        assert point["failed"] is None
        assert point["steps"]["det"]["batch"] >= 1
        assert point["cores_by_step"]["recognize"] > 0
    assert [page["way"] for page in bound["pages"]] == ["arrays", "binding"]
    assert min(page["networks_ms"] for page in bound["pages"]) > 0


def test_a_second_run_keeps_what_is_done_and_repeats_what_failed(out, capsys):
    before = {stage: kept(out, stage) for stage in ("serve-fp32", "bound-fp32")}
    broken = before["bound-fp32"] | {"done": False, "error": "stopped", "rows": []}
    (out / "bound-fp32.json").write_text(json.dumps(broken), "utf-8")
    command = ["gpu", "run", str(out / "bundle"), "--out", str(out), *CPU, *LOAD]
    capsys.readouterr()
    assert main([*command, "--json"]) == 0
    points = json.loads(capsys.readouterr().out)["tables"]["points"]["rows"]
    assert kept(out, "serve-fp32") == before["serve-fp32"]
    ways = kept(out, "bound-fp32")["pages"]
    for point in points:
        pages_of_a_second = point["pictures_per_second"] / 1e3
        bound = 100 * pages_of_a_second * min(way["networks_ms"] for way in ways)
        assert point["of_bound_percent"] == pytest.approx(bound)


def test_a_stage_that_fails_is_noted_and_the_others_run(bundle, out, tmp_path, capsys):
    shutil.copytree(out / "bundle", tmp_path / "bundle")
    (tmp_path / "bundle/repositories/fp32/recognize/1/model.py").write_text("raise KeyError(1)")
    command = ["gpu", "run", str(tmp_path / "bundle"), "--out", str(tmp_path / "out"), "--json"]
    capsys.readouterr()
    assert main([*command, *CPU, *LOAD]) == 1
    result = json.loads(capsys.readouterr().out)
    assert [note.partition(": ")[0] for note in result["notes"]] == ["serve-fp32"]
    assert "recognize" in (tmp_path / "out/serve-fp32.log").read_text("utf-8")
    assert result["settings"]["stages"]["bound-fp32"]["done"]


def test_a_damaged_piece_is_not_unpacked(bundle, tmp_path):
    shutil.copytree(bundle, tmp_path / "bundle")
    with (tmp_path / "bundle/piece-0001").open("r+b") as piece:
        piece.write(b"damage")
    assert unpack_and_run(tmp_path / "bundle", tmp_path / "out") == 1
    assert not list((tmp_path / "out/bundle").iterdir())


def test_a_process_is_stopped_at_its_limit():
    process = subprocess.Popen(["sleep", str(3 * TO_STOP)], start_new_session=True)
    assert "limit" in ended(process, 0.1)
    assert process.poll() is not None


def test_float32_must_be_equal_and_float16_within_its_bounds():
    line = {"text": "a", "score": 0.9, "box": [[0, 0], [9, 0], [9, 9], [0, 9]], "box_score": 0.9}
    moved = line | {"box": [[0, 0], [9.25, 0], [9.25, 9], [0, 9]], "score": 0.89}
    both = {"one.png": [line]}, {"one.png": [moved]}
    assert len(compare(*both, {"det": "fp32"})["problems"]) == 2
    assert compare(*both, {"det": "fp32", "rec": "fp16"})["problems"] == []


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["gpu", "pack", "b"], "--repository"),
        (["gpu", "run", "b"], "--out"),
        (["gpu", "run", "no-bundle", "--out", "o"], "no bundle"),
    ],
)
def test_what_is_missing_is_named(command, said, capsys):
    assert main(command) == 1
    assert said in capsys.readouterr().err


@pytest.mark.nightly
def test_a_bundle_runs_in_an_empty_system_without_a_network(repository, tmp_path):
    if os.getuid():
        pytest.skip("only root can make an empty system")
    assert pack(tmp_path / "bundle", repository) == 0
    out = tmp_path / "out"
    out.mkdir()
    command = [str(ROOT / "docker/checks/bare"), str(tmp_path / "bundle"), str(out), *CPU, *LOAD]
    subprocess.run(command, check=True, timeout=900)
    assert kept(out, "serve-fp32")["answers"]["problems"] == []
    assert "/out/bundle/python" in kept(out, "machine")["machine"]["executable"]

"""Which engine serves: what is preferred, what is proven, and what is kept of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from work_folders import work_of

from ppocr_converters.cli import main
from ppocr_converters.errors import RepositoryError
from ppocr_converters.proof import engine_timing as race
from ppocr_converters.proof.engine_selection import Candidate, sets_by_preference
from ppocr_converters.proof.tensors import tolerance_for
from ppocr_converters.proof.tolerance import tolerance_of
from ppocr_converters.repository.deployment_plan import LINES_PER_CALL, apply
from ppocr_converters.repository.profiles import CPU_ENGINES, load_profile
from ppocr_engine.config_pbtxt import read_config
from ppocr_engine.machine import has_bfloat16
from ppocr_engine.spec import ONNXRUNTIME, OPENVINO, OPENVINO_BF16, EngineSpec, Precision


def timed(*milliseconds: float | None) -> list[Candidate]:
    """The engines with their times, the nearest to the reference first."""
    return [
        Candidate(engine, replace(engine, threads=1), took)
        for engine, took in zip(CPU_ENGINES, milliseconds, strict=False)
    ]


def order(**networks: list[Candidate]) -> list[str]:
    return ["+".join(str(way) for way in ways.values()) for ways in sets_by_preference(networks)]


def test_the_fastest_engine_is_tried_first() -> None:
    assert order(det=timed(30, 20, 10)) == ["openvino-bf16", "openvino", "onnxruntime"]
    assert order(det=timed(10, 20, 30)) == ["onnxruntime", "openvino", "openvino-bf16"]


def test_an_engine_further_from_the_reference_must_be_clearly_faster() -> None:
    assert order(det=timed(100, 97))[0] == "onnxruntime"
    assert order(det=timed(100, 90))[0] == "openvino"
    assert order(det=timed(200, 100, 99))[0] == "openvino"


def test_an_engine_that_is_not_here_is_never_tried() -> None:
    assert order(det=timed(30, 20, None)) == ["openvino", "onnxruntime"]
    assert order(det=timed(30, None, None)) == ["onnxruntime"]


def test_each_network_has_an_engine_of_its_own() -> None:
    found = order(det=timed(30, 20), rec=timed(20, 30))
    assert found[0] == "openvino+onnxruntime"
    assert found[-1] == "onnxruntime+openvino"
    assert len(found) == 4


def test_networks_are_timed_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(race, "SECONDS", 0.0)
    calls: list[str] = []

    def network(name: str):
        def run(feeds):
            calls.append(f"{name}{feeds['X'][0]}")
            return []

        return run

    feeds = [{"X": np.array([1])}, {"X": np.array([2])}]
    times = race.time_in_turns([network("a"), network("b")], feeds)
    assert calls == ["a1", "b1", "a2", "b2"] * race.ROUNDS
    assert len(times) == 2
    assert all(took >= 0 for took in times)


def test_the_bounds_are_those_of_file_and_engine() -> None:
    assert tolerance_for({}, "openvino", []) == ("fp32", tolerance_of("fp32"))
    assert tolerance_for({}, "openvino-bf16", []) == ("bf16", tolerance_of("bf16"))
    name, both = tolerance_for({"ppocr_precision": "int8"}, "openvino-bf16", [])
    assert name == "int8+bf16"
    assert both.max_difference == 1
    assert both.other_spaces == tolerance_of("int8").other_spaces


@pytest.mark.parametrize(
    ("profile", "engine"),
    [
        ("cpu-onnxruntime", ONNXRUNTIME),
        ("cpu-openvino", OPENVINO),
        ("cpu-openvino-bf16", OPENVINO_BF16),
    ],
)
def test_a_profile_names_its_engine(profile: str, engine: object) -> None:
    from ppocr_converters.repository.source import source_repository

    models = load_profile(profile, cores=3).models
    for name in ("det", "rec", "cls"):
        config = read_config(source_repository() / name / "config.pbtxt")
        apply(config, models[name])
        found = EngineSpec.read(config)
        assert found is not None
        assert replace(found, threads=0) == engine
        stored = {key: value.string_value for key, value in config.parameters.items()}
        assert ("intra_op_thread_count" in stored) == (engine == ONNXRUNTIME)
        assert (stored.get("INFERENCE_NUM_THREADS"), stored.get("NUM_STREAMS")) == (
            (None, None) if engine == ONNXRUNTIME else ("3", "3")
        )


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_openvino_answers_the_same_in_any_batch(repository: Path, precision: Precision) -> None:
    if precision == "bf16" and not has_bfloat16():
        pytest.skip("this processor has no bfloat16")
    spec = EngineSpec("openvino", precision, threads=1)
    session = spec.open(repository / "rec" / "1" / "model.onnx")

    def read(crops: np.ndarray, widths: np.ndarray) -> list[np.ndarray]:
        return session({"CROPS": crops, "WIDTHS": widths})

    random = np.random.default_rng(5)
    lines = LINES_PER_CALL["openvino"]
    for width in (96, 320, 736):
        crops = random.integers(0, 256, (lines, 48, width, 3), np.uint8)
        widths = random.integers(width - 31, width + 1, (lines, 1)).astype(np.int32)
        alone = [read(crops[[row]], widths[[row]]) for row in range(lines)]
        for together, apart in zip(read(crops, widths), zip(*alone, strict=True), strict=True):
            assert np.array_equal(together, np.concatenate(apart))


def test_a_repository_is_not_written_before_the_engine_is_chosen() -> None:
    from ppocr_converters.repository.source import source_repository

    config = read_config(source_repository() / "det" / "config.pbtxt")
    plan = load_profile("cpu").models["det"]
    with pytest.raises(RepositoryError, match="det has not been chosen among onnxruntime, openv"):
        apply(config, plan)
    apply(config, replace(plan, engines=(OPENVINO,)))
    assert config.backend == "openvino"


@pytest.mark.paddle
def test_the_build_takes_the_fastest_engine_that_holds_and_remembers(
    repository: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The engines are timed once for real; bfloat16 is refused by a bound that none could keep."""
    monkeypatch.setattr(race, "SECONDS", 0.0)
    monkeypatch.setattr(race, "LINES", 2)
    monkeypatch.setattr(race, "PICTURES", 1)
    work = work_of(repository, tmp_path / "work")
    arguments = ["build", "--work", str(work), "--out", str(tmp_path / "repository")]
    bound = ["--tolerance", "max_difference=0.001"]
    assert main([*arguments, *bound, "--quiet"]) == 0
    said = capsys.readouterr().out
    manifest = json.loads((tmp_path / "repository" / "manifest.json").read_text("utf-8"))
    for name in ("det", "rec"):
        chosen = manifest["engine"]["networks"][name]
        outcomes = {one["engine"]: one["outcome"] for one in chosen["considered"]}
        assert chosen["way"] in ("onnxruntime", "openvino")
        assert outcomes[chosen["way"]] == "holds"
        if not has_bfloat16():
            assert "no bfloat16" in outcomes["openvino-bf16"]
        config = read_config(tmp_path / "repository" / name / "config.pbtxt")
        assert str(EngineSpec.read(config)) == chosen["way"]
    called = read_config(tmp_path / "repository" / "recognize" / "config.pbtxt").parameters
    lines = LINES_PER_CALL.get(chosen["engine"], 1)  # of `rec`, the last of the two above
    assert int(called["rec_batch_size"].string_value) == lines
    assert said.count("taken, the proof holds") == 2

    def again(*_: object) -> None:
        raise AssertionError("the engines were timed twice")

    monkeypatch.setattr("ppocr_converters.proof.engine_selection.race", again)
    assert main([*arguments, *bound, "--quiet"]) == 0
    assert "is up to date" in capsys.readouterr().out

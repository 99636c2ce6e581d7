"""Which engine serves, and how far it may be from the source."""

from dataclasses import replace

import numpy as np
import pytest
from paths import SAMPLES

from ppocr_converters.cli import main
from ppocr_converters.errors import RepositoryError
from ppocr_converters.graph.onnx_model import OnnxFile
from ppocr_converters.proof.lines import ReadingProof
from ppocr_converters.proof.prove import prove_reading
from ppocr_converters.proof.tolerance import tolerance_for, tolerance_of
from ppocr_converters.repository.build import check_plan
from ppocr_converters.repository.deployment_plan import (
    CALLS,
    ModelPlan,
    Plan,
    apply,
    load_profile,
)
from ppocr_converters.repository.source import source_repository
from ppocr_engine.config_pbtxt import read_config
from ppocr_engine.machine import has_bfloat16
from ppocr_engine.spec import ONNXRUNTIME, OPENVINO, OPENVINO_BF16, EngineSpec

Networks = dict[str, OnnxFile]
FORM = SAMPLES / "form_mixed.png"


def test_the_bounds_are_those_of_file_and_engine():
    assert tolerance_for({}, "openvino", []) == ("fp32", tolerance_of("fp32"))
    assert tolerance_for({}, "openvino-bf16", []) == ("bf16", tolerance_of("bf16"))
    name, both = tolerance_for({"ppocr_precision": "int8"}, "openvino-bf16", [])
    assert name == "int8+bf16"
    assert both.max_difference == 1
    assert both.other_spaces == tolerance_of("int8").other_spaces


@pytest.mark.parametrize(
    ("profile", "engine"),
    [
        ("cpu", ONNXRUNTIME),
        ("cpu-onnxruntime", ONNXRUNTIME),
        ("cpu-openvino", OPENVINO),
        ("cpu-openvino-bf16", OPENVINO_BF16),
    ],
)
def test_a_profile_names_its_engine(profile, engine):
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


def prove_form(networks: Networks, step: str, parameters: dict[str, str]) -> ReadingProof:
    """The proof of the shared models on one sample picture, with parameters of one step."""
    models = {
        kind: (file, file.path.with_name("converted.onnx")) for kind, file in networks.items()
    }
    plan = Plan("these options", {step: ModelPlan(parameters=parameters)})
    return prove_reading(models, source_repository(), plan, [FORM])


@pytest.mark.parametrize(
    ("step", "parameters", "all_lines"),
    [
        ("recognize", {"drop_score": "1"}, True),  # what is dropped is compared as well
        ("det_postprocess", {"det_db_box_thresh": "0.9"}, False),
        ("det_preprocess", {"det_limit_side_len": "160", "det_limit_type": "max"}, False),
    ],
)
def test_pictures_are_proven_with_the_options_that_are_served(
    networks, step, parameters, all_lines
):
    proof = prove_form(networks, step, parameters)
    assert proof.problems == []
    assert proof.lines == 26 if all_lines else 0 < proof.lines < 26


def test_options_that_cannot_be_served_are_not_proven(networks):
    with pytest.raises(RepositoryError, match="cannot be served so: det_db_thresh is '2'"):
        prove_form(networks, "det_postprocess", {"det_db_thresh": "2"})


@pytest.mark.parametrize(
    ("backend", "precision"), [("onnxruntime", "fp32"), ("openvino", "fp32"), ("openvino", "bf16")]
)
def test_a_line_is_answered_the_same_in_any_batch(repository, backend, precision):
    if precision == "bf16" and not has_bfloat16():
        pytest.skip("this processor has no bfloat16")
    spec = EngineSpec(backend, precision, threads=1)
    session = spec.open(repository / "rec" / "1" / "model.onnx")

    def read(crops: np.ndarray, widths: np.ndarray) -> list[np.ndarray]:
        return session({"CROPS": crops, "WIDTHS": widths})

    random = np.random.default_rng(5)
    lines = int(CALLS[backend]["rec_batch_size"])
    for width in (96, 320, 736):
        crops = random.integers(0, 256, (lines, 48, width, 3), np.uint8)
        widths = random.integers(width - 31, width + 1, (lines, 1)).astype(np.int32)
        alone = [read(crops[[row]], widths[[row]]) for row in range(lines)]
        for together, apart in zip(read(crops, widths), zip(*alone, strict=True), strict=True):
            assert np.array_equal(together, np.concatenate(apart))


def test_bfloat16_is_refused_before_anything_is_done_where_there_is_none(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("ppocr_converters.repository.build.has_bfloat16", lambda: False)
    work = tmp_path / "work"
    assert main(["build", "--fast", "--work", str(work)]) == 1
    said = capsys.readouterr().err
    assert "cpu-openvino-bf16 computes in bfloat16, and this processor has none" in said
    assert not (work / "models").exists()


def test_bfloat16_is_allowed_where_the_processor_has_it(monkeypatch):
    monkeypatch.setattr("ppocr_converters.repository.build.has_bfloat16", lambda: True)
    check_plan(load_profile("cpu-openvino-bf16"))
    with pytest.raises(RepositoryError, match="runs rec by openvino-bf16, but a network in int8"):
        check_plan(load_profile("cpu-openvino-bf16").with_model("rec", file_precision="int8"))
    check_plan(load_profile("cpu").with_model("rec", file_precision="int8"))
    with pytest.raises(RepositoryError, match="precision 'fp8'; allowed: fp32, fp16, int8"):
        check_plan(load_profile("cpu").with_model("rec", file_precision="fp8"))

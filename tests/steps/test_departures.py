"""Whoever is admitted leaves once, by whichever step it leaves, and no departure is undone."""

import time
from typing import Any

import cv2
import numpy as np
import pytest
from steps.alone import MAP, SIZE, ask, png
from steps.python_backend import CANCELLED, INTERNAL, INVALID_ARG, Metric, MetricFamily, Request

from ppocr_steps.slots import SLOTS, admission_id_at

FILE = png(np.zeros((40, 60, 3), np.uint8))
IDS = ["ADMISSION_ID"]
# A model, whether its picture stays in the pipeline, what is asked for and what is sent.
PASSAGES = [
    ("det_preprocess", True, ["PIXELS"], {"IMAGE": FILE}),
    ("det_preprocess", False, ["PIXELS"], {"IMAGE": np.array([b"no picture"], np.object_)}),
    ("det_postprocess", True, ["BOXES", *IDS], {"PROBABILITY": MAP, "IMAGE_SIZE": SIZE}),
    ("det_postprocess", False, ["BOXES"], {"PROBABILITY": MAP, "IMAGE_SIZE": SIZE}),
    ("det_postprocess", False, ["BOXES", *IDS], {"PROBABILITY": MAP, "IMAGE_SIZE": SIZE * 0}),
    ("recognize", False, ["TEXTS"], {"IMAGE": FILE}),
    ("recognize", False, ["TEXTS"], {}),
]


@pytest.fixture(autouse=True)
def _pictures_are_decoded(alone) -> None:
    alone("det_preprocess")


def now(slot: int = 1) -> int:
    return admission_id_at(time.monotonic_ns(), slot)


def admitted(number: int, outputs: list[str], /, **inputs: np.ndarray) -> Request:
    return Request(outputs, ADMISSION_ID=np.array([number], np.int64), **inputs)


def departed(slot: int = 1) -> int:
    found = MetricFamily.metrics.get(("ppocr_slot_departed", f"slot={slot}"), Metric("gauge"))
    return int(found.value())


def departures() -> int:
    return int(MetricFamily.metrics["ppocr_departures_total",].value())


@pytest.mark.parametrize(("name", "stays", "outputs", "inputs"), PASSAGES)
def test_a_picture_leaves_with_its_last_step_or_where_it_is_refused(
    alone, name, stays, outputs, inputs
):
    picture = now()
    (answer,) = ask(alone(name), admitted(picture, outputs, **inputs))
    assert departed() == (0 if stays else picture)
    assert departures() == (0 if stays else 1)
    if not answer.has_error():
        assert ("ADMISSION_ID" in answer.arrays()) == (stays and name == "det_postprocess")


@pytest.mark.parametrize("name", ["det_preprocess", "det_postprocess", "recognize"])
def test_one_that_its_client_gave_up_leaves_unread(alone, name):
    picture = admitted(now(), ["TEXTS"])
    picture.cancelled = True
    (answer,) = ask(alone(name), picture)
    assert answer.error().code() == CANCELLED
    assert departures() == 1


def test_a_fault_of_opencv_ends_neither_the_call_nor_the_stay_of_others(alone, monkeypatch):
    model, found = alone("det_postprocess"), cv2.findContours
    broken = np.full((1, 32, 32), 0.9, np.float32)

    def fails_on_a_full_map(bitmap: np.ndarray, *arguments: Any) -> Any:
        if bitmap.all():
            raise cv2.error("a fault")
        return found(bitmap, *arguments)

    monkeypatch.setattr(cv2, "findContours", fails_on_a_full_map)
    good, bad = now(1), now(2)
    first, second = ask(
        model,
        admitted(bad, ["BOXES", *IDS], PROBABILITY=broken, IMAGE_SIZE=SIZE),
        admitted(good, ["BOXES", *IDS], PROBABILITY=MAP, IMAGE_SIZE=SIZE),
    )
    assert first.error().code() == INTERNAL
    assert "a fault" in first.error().message()
    assert not second.has_error()
    assert (departed(1), departed(2)) == (0, bad)


def test_a_departure_is_never_undone(alone):
    model = alone("recognize")
    later, earlier = now(), now() - 5000 * SLOTS
    for picture in (later, earlier):
        ask(model, admitted(picture, ["TEXTS"], IMAGE=FILE))
    assert (departed(), departures()) == (later, 2)


@pytest.mark.parametrize("sent", [[0], [-5], [2**62], []])
def test_an_id_that_was_never_given_is_not_looked_at(alone, sent):
    request = Request(["TEXTS"], IMAGE=FILE, ADMISSION_ID=np.array(sent, np.int64))
    (answer,) = ask(alone("recognize"), request)
    assert not answer.has_error()
    assert departures() == 0


def test_whoever_leaves_makes_room_in_admit(alone):
    admit, recognize = alone("admit", max_in_progress="2"), alone("recognize")

    def enter(count: int) -> list[int]:
        answers = ask(admit, *(Request(IDS, IMAGE=FILE) for _ in range(count)))
        return [int(answer.arrays()["ADMISSION_ID"].item()) for answer in answers]

    inside = enter(2)
    for _ in range(3):
        ask(recognize, *(admitted(number, ["TEXTS"], IMAGE=FILE) for number in reversed(inside)))
        inside = enter(2)
    assert departures() == 6


def test_admit_gives_no_slot_to_one_that_was_given_up(alone):
    admit, picture = alone("admit"), Request(IDS, IMAGE=FILE)
    picture.cancelled = True
    (answer,) = ask(admit, picture)
    assert answer.error().code() == CANCELLED
    assert not admit.slots._inside


def test_a_refusal_keeps_its_code(alone):
    (answer,) = ask(alone("recognize"), admitted(now(), ["TEXTS"]))
    assert answer.error().code() == INVALID_ARG

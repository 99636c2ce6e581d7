"""A request changes nothing that the next one sees, also one that shares a call with bad ones."""

import copy
import pickle

import numpy as np
import pytest
from steps.alone import ask, png, steps_alone
from steps.python_backend import INVALID_ARG, Request

PIXELS = np.random.default_rng(0).integers(0, 256, (64, 200, 3), np.uint8)
FILE = png(PIXELS)
BOXES = np.array([[[5, 5], [150, 5], [150, 40], [5, 40]]] * 2, np.float32)
MAP = np.zeros((1, 64, 224), np.float32)
MAP[0, 20:40, 20:160] = 0.9
SIZE = np.array([64, 200], np.int32)
OPTIONS = {"reference": "paddle_serving", "drop_score": 0.1, "det_limit_side_len": 64}
# What each model is sent: requests that it answers, and requests that it refuses.
PRE = ["PIXELS", "DET_INPUT", "IMAGE_SIZE"]
POST = ["BOXES", "BOX_SCORES"]
READ = ["BOXES", "TEXTS", "SCORES", "BOX_SCORES", "WORDS", "WORD_BOXES"]
GOOD = {
    "det_preprocess": [Request(PRE, IMAGE=FILE), Request(PRE, OPTIONS, IMAGE=FILE)],
    "det_postprocess": [
        Request(POST, PROBABILITY=MAP, IMAGE_SIZE=SIZE),
        Request(POST, OPTIONS | {"use_dilation": True}, PROBABILITY=MAP, IMAGE_SIZE=SIZE),
    ],
    "recognize": [
        Request(READ, PIXELS=PIXELS, BOXES=BOXES),
        Request(READ, OPTIONS | {"rec_padding": "paddle", "return_words": True}, IMAGE=FILE),
    ],
}
BAD = {
    "det_preprocess": [
        Request(PRE, IMAGE=np.array([FILE[0][:99]], np.object_)),
        Request(PRE, IMAGE=np.array([b""], np.object_)),
        Request(PRE, {"det_limit_side_len": 1}, IMAGE=FILE),
        Request(PRE, IMAGE=np.array([b"a", b"b"], np.object_)),
    ],
    "det_postprocess": [
        Request(POST, PROBABILITY=MAP[:, :0], IMAGE_SIZE=SIZE),
        Request(POST, PROBABILITY=MAP, IMAGE_SIZE=SIZE * 0),
        Request(POST, PROBABILITY=np.concatenate([MAP, MAP]), IMAGE_SIZE=SIZE),
        Request(POST, {"a": 1}, PROBABILITY=MAP, IMAGE_SIZE=SIZE),
    ],
    "recognize": [
        Request(READ, PIXELS=PIXELS, BOXES=BOXES * np.float32(1e30)),
        Request(READ, PIXELS=PIXELS, BOXES=BOXES, BOX_SCORES=np.ones(9, np.float32)),
        Request(READ, BOXES=BOXES),
        Request(READ, PIXELS=PIXELS[:0], BOXES=BOXES),
        Request(READ, IMAGE=np.array([FILE[0][:99]], np.object_), BOXES=BOXES),
        Request(READ, {"drop_score": 7}, PIXELS=PIXELS),
    ],
}
# What counts requests changes with them; threads are started when they are needed.
COUNTERS = {"counters", "refusals", "departures", "callers"}


@pytest.fixture(params=GOOD)
def model(request):
    with steps_alone() as load:
        load("det_preprocess")
        yield request.param, load(request.param)


def state(model):
    """All that a model keeps, its counters aside, as bytes."""
    kept = {name: value for name, value in vars(model).items() if name not in COUNTERS}
    assert len(kept) >= 2
    return pickle.dumps(copy.deepcopy(kept))


def words(answer):
    """An answer to the bit, or the error."""
    if answer.has_error():
        return answer.error().message(), answer.error().code()
    return {
        name: (array.shape, array.dtype.str, array.tolist())
        for name, array in answer.arrays().items()
    }


def test_requests_leave_the_model_as_it_was(model):
    name, made = model
    before = state(made)
    for request in (*GOOD[name], *BAD[name], *GOOD[name]):
        ask(made, request)
        assert state(made) == before


def test_a_bad_request_in_a_call_harms_none_of_the_others(model):
    name, made = model
    requests = [one for pair in zip(GOOD[name] * 3, BAD[name], strict=False) for one in pair]
    alone = [words(ask(made, request)[0]) for request in requests]
    assert [isinstance(answer, tuple) for answer in alone] == [False, True] * len(BAD[name])
    assert {answer[1] for answer in alone[1::2]} == {INVALID_ARG}
    assert [words(answer) for answer in ask(made, *requests)] == alone
    backwards = [words(answer) for answer in ask(made, *reversed(requests))]
    assert backwards == alone[::-1]


def test_what_is_sent_stays_as_it_was(model):
    name, made = model
    for request in GOOD[name]:
        before = {key: array.copy() for key, array in request.inputs.items()}
        ask(made, request)
        assert all(np.array_equal(before[key], array) for key, array in request.inputs.items())


def test_steps_of_one_canvas_find_the_boxes_that_they_find_without():
    found = []
    for canvases in ("none", "320x320"):
        with steps_alone() as load:
            pre, post = load("det_preprocess", det_canvases=canvases), load("det_postprocess")
            wanted = [*PRE, "DET_TILES"]
            (shown,) = ask(pre, Request(wanted, {"det_limit_type": "max"}, IMAGE=FILE))
            shape = shown.arrays()["DET_INPUT"].shape
            assert shape == ((1, 64, 192, 3) if canvases == "none" else (1, 320, 320, 3))
            answer = np.zeros(shape[:3], np.float32)
            answer[0, 20:40, 20:160] = 0.9
            answer[0, 64:] = 0.9  # outside of the picture
            tiles = shown.arrays()["DET_TILES"]
            sent = {"PROBABILITY": answer, "DET_TILES": tiles, "IMAGE_SIZE": SIZE}
            (boxes,) = ask(post, Request(POST, **sent))
            found.append(words(boxes))
    assert found[0] == found[1]
    assert len(found[0]["BOXES"][2]) == 1

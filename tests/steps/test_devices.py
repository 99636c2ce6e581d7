"""Networks on the CPU and on a GPU: every step gets its arrays, wherever they are."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from steps.alone import ask, png, steps_alone
from steps.python_backend import INTERNAL, Request

PIXELS = np.zeros((64, 200, 3), np.uint8)
FILE = png(PIXELS)
BOXES = np.array([[[5, 5], [150, 5], [150, 40], [5, 40]]], np.float32)
MAP, SIZE = np.zeros((1, 64, 224), np.float32), np.array([64, 200], np.int32)
CLASSIFIER = {"cls_height": "48", "cls_width": "192", "cls_resize": "pad", "cls_batch_size": "1"}
READ = Request(["TEXTS"], PIXELS=PIXELS, BOXES=BOXES)
# A step, the parameters it is built with, what it is sent, and the models it calls.
STEPS = [
    ("admit", {}, Request(["ADMISSION_ID"], IMAGE=FILE), []),
    ("det_preprocess", {}, Request(["DET_INPUT"], IMAGE=FILE), []),
    ("det_postprocess", {}, Request(["BOXES"], PROBABILITY=MAP, IMAGE_SIZE=SIZE), []),
    ("recognize", {}, READ, ["rec"]),
    ("recognize", CLASSIFIER, READ, ["cls", "rec"]),
    ("recognize", {}, Request(["TEXTS"], IMAGE=FILE), ["det_preprocess", "rec"]),
]
ON_GPU = "Tensor is stored in GPU and cannot be converted to NumPy."


@pytest.fixture(params=[None, 1], ids=["cpu", "gpu"])
def alone(request) -> Iterator[Any]:
    with steps_alone(request.param) as load:
        yield load


@pytest.mark.parametrize(("name", "parameters", "request_", "calls"), STEPS)
def test_a_step_answers(alone, name, parameters, request_, calls):
    alone("det_preprocess")
    (answer,) = ask(alone(name, **parameters), request_)
    assert not answer.has_error(), answer.error().message()
    assert answer.arrays().keys() >= set(request_.requested_output_names())
    assert alone.calls == calls


@pytest.mark.parametrize("parameters", [{}, CLASSIFIER], ids=["rec", "cls"])
def test_a_call_that_forgets_to_ask_for_memory_fails_on_a_gpu(alone, monkeypatch, parameters):
    model = alone("recognize", **parameters)
    called = alone.fake.InferenceRequest
    monkeypatch.setattr(
        alone.fake, "InferenceRequest", lambda preferred_memory, **others: called(**others)
    )
    (answer,) = ask(model, READ)
    if alone.gpu is None:
        assert not answer.has_error()
    else:
        assert answer.error().code() == INTERNAL
        assert answer.error().message() == f"the step failed: TritonModelException: {ON_GPU}"

"""Calls of networks are made several at a time; an error ends them all, and none goes on."""

import gc
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from steps.alone import ask, of_network, steps_alone
from steps.python_backend import Call as Request
from steps.python_backend import InferenceResponse, TritonError
from steps.python_backend import Request as Sent

from ppocr_pipeline.calls import Call


def calls(count: int, made: list[int] | None = None) -> Iterator[Call]:
    for width in range(count):
        if made is not None:
            made.append(width)
        yield Call("rec", {"CROPS": np.zeros((1, 48, 8 * (width + 1), 3), np.uint8)})


@pytest.fixture
def callers() -> Iterator[Any]:
    """Three at a time."""
    with steps_alone() as load:
        made = type(load("recognize").callers)(3)
        yield made
        made.close()


def test_answers_come_in_the_order_of_the_calls_whichever_is_ready_first(callers, monkeypatch):
    running, most, lock = 0, 0, threading.Lock()

    def answer(call: Request) -> InferenceResponse:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02 / call.inputs["CROPS"].shape[2])  # the first takes longest
        with lock:
            running -= 1
        return of_network(call)

    monkeypatch.setattr(Request, "callee", answer)
    request = Request(inputs=[], requested_output_names=[], model_name="")
    for count in (0, 1, 20):
        steps = [indices.shape[1] for indices, _ in callers.answers(request, calls(count))]
        assert steps == [*range(1, count + 1)]
    assert most == 3


def test_as_many_calls_are_made_at_a_time_as_build_says(monkeypatch):
    many = 33  # more than without its word, on any machine
    all_asked = threading.Barrier(many, timeout=20)

    def answer(call: Request) -> InferenceResponse:
        all_asked.wait()
        return of_network(call)

    request = Request(inputs=[], requested_output_names=[], model_name="")
    with steps_alone() as load:
        monkeypatch.setattr(Request, "callee", answer)
        callers = load("recognize", rec_calls=str(many)).callers
        assert len(callers.answers(request, calls(many))) == many


def test_after_an_error_no_call_is_begun_and_none_goes_on(callers, monkeypatch):
    ended: list[int] = []
    made: list[int] = []

    def answer(call: Request) -> InferenceResponse:
        if call.inputs["CROPS"].shape[2] == 16:
            return InferenceResponse(error=TritonError("no memory", 1))
        time.sleep(0.05)
        ended.append(len(made))
        return of_network(call)

    monkeypatch.setattr(Request, "callee", answer)
    request = Request(inputs=[], requested_output_names=[], model_name="")
    with pytest.raises(Exception, match="rec: no memory"):
        callers.answers(request, calls(50, made))
    begun = len(made)
    assert begun <= 4
    assert len(ended) == begun - 1
    assert len(callers.answers(request, calls(1))) == 1  # which has no width of 16


def test_an_error_while_a_call_is_made_ready_is_raised(callers, monkeypatch):
    def unready() -> Iterator[Call]:
        yield from calls(1)
        raise ValueError("the crops are too wide")

    monkeypatch.setattr(Request, "callee", of_network)
    request = Request(inputs=[], requested_output_names=[], model_name="")
    with pytest.raises(ValueError, match="too wide"):
        callers.answers(request, unready())


def out_of_memory(_: Request) -> InferenceResponse:
    return InferenceResponse(error=TritonError("no memory", 1))


@pytest.mark.parametrize("callee", [of_network, out_of_memory])
def test_nothing_of_a_request_is_kept_until_a_garbage_collection(monkeypatch, callee):
    left, top = np.full((6, 1), 10), np.arange(10, 250, 40)[:, None]
    corners = [(left, top), (left + 90, top), (left + 90, top + 30), (left, top + 30)]
    boxes = np.stack([np.hstack(corner) for corner in corners], axis=1).astype(np.float32)
    with steps_alone() as load:
        monkeypatch.setattr(Request, "callee", callee)
        model = load("recognize")
        request = Sent(["TEXTS"], PIXELS=np.zeros((300, 300, 3), np.uint8), BOXES=boxes)
        kept = weakref.ref(request)
        gc.disable()
        try:
            (answer,) = ask(model, request)
            assert answer.has_error() == (callee is out_of_memory)
            del request, answer
            assert kept() is None
        finally:
            gc.enable()

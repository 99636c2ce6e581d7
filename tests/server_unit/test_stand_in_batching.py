"""Merging requests: few runs, every row back to its request, errors where they belong."""

from collections.abc import Mapping

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ppocr_engine.session import Array, Feeds
from ppocr_server.backends.common.batching import Answer, run_requests


class Recorder:
    """Y = X + 1; fails for a batch that holds a negative value."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, feeds: Feeds) -> Mapping[str, Array]:
        x = feeds["X"].astype(np.float32)
        self.shapes.append(x.shape)
        if x.min(initial=0) < 0:
            raise ValueError(f"negative: {x.min()}")
        return {"Y": x + 1}


def rows(count: int, width: int, value: float) -> Feeds:
    return {"X": np.full((count, width), value, np.float32)}


def answer(requests: list[Feeds], run: Recorder, *, batching: bool = True) -> list[Answer]:
    return run_requests(requests, run, batching=batching, errors=(ValueError,))


def test_equal_shapes_are_one_run_and_others_are_not():
    run = Recorder()
    requests = [rows(1, 4, 1), rows(2, 5, 2), rows(3, 4, 3)]
    answers = answer(requests, run)
    assert sorted(run.shapes) == [(2, 5), (4, 4)]
    for request, result in zip(requests, answers, strict=True):
        assert not isinstance(result, Exception)
        np.testing.assert_array_equal(result["Y"], request["X"].astype(np.float32) + 1)


def test_without_batching_every_request_is_a_run():
    run = Recorder()
    answer([rows(1, 4, 1), rows(1, 4, 2)], run, batching=False)
    assert run.shapes == [(1, 4), (1, 4)]


def test_a_graph_that_loses_the_batch_is_an_error_not_a_wrong_answer():
    def run(feeds: Feeds) -> Mapping[str, Array]:
        return {"Y": feeds["X"].sum(axis=0)}

    for result in run_requests(
        [rows(2, 4, 1), rows(3, 4, 1)], run, batching=True, errors=(ValueError,)
    ):
        assert isinstance(result, ValueError)
        assert "does not keep the batch dimension" in str(result)


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from([1, 4, 7]), st.integers(-1, 2)), max_size=12
    )
)
def test_every_answer_is_the_one_got_alone(plan):
    requests = [rows(*item) for item in plan]
    together = answer(requests, Recorder())
    for request, result in zip(requests, together, strict=True):
        (alone,) = answer([request], Recorder())
        if isinstance(alone, Exception):
            assert isinstance(result, Exception)
        else:
            assert not isinstance(result, Exception)
            np.testing.assert_array_equal(result["Y"], alone["Y"])

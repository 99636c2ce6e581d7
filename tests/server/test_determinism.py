"""The same line gives the same answer: alone, in any batch, under any load."""

import threading

import numpy as np
import pytest
import tritonclient.grpc as grpcclient
from hypothesis import given, settings
from hypothesis import strategies as st

from ppocr_converters.pictures.render import render_page

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def page(grpc):
    """A rendered page as pixels, its line boxes, and the text and score of each line alone."""
    rendered = render_page(seed=11, lines=12)
    boxes = np.stack([line.box for line in rendered.lines]).astype(np.float32)
    alone = [recognize(grpc, rendered.image, boxes[[index]])[0] for index in range(len(boxes))]
    return rendered.image, boxes, alone


def recognize(grpc, pixels, boxes):
    inputs = []
    for name, array, kind in (("PIXELS", pixels, "UINT8"), ("BOXES", boxes, "FP32")):
        inputs.append(grpcclient.InferInput(name, list(array.shape), kind))
        inputs[-1].set_data_from_numpy(np.ascontiguousarray(array))
    answer = grpc.infer("recognize", inputs, parameters={"drop_score": "0"})
    return list(zip(answer.as_numpy("TEXTS"), answer.as_numpy("SCORES"), strict=True))


@settings(max_examples=15)
@given(chosen=st.lists(st.integers(0, 11), min_size=1, max_size=12))
def test_a_line_reads_the_same_alone_and_in_any_company(grpc, page, chosen):
    pixels, boxes, alone = page
    assert recognize(grpc, pixels, boxes[chosen]) == [alone[index] for index in chosen]


@settings(max_examples=3)
@given(orders=st.lists(st.permutations(range(12)), min_size=4, max_size=4))
def test_a_line_reads_the_same_under_any_concurrency(grpc, page, orders):
    pixels, boxes, alone = page
    answers: dict[int, list] = {}

    def work(worker, order):
        answers[worker] = recognize(grpc, pixels, boxes[list(order)])

    threads = [threading.Thread(target=work, args=item) for item in enumerate(orders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for worker, order in enumerate(orders):
        assert answers[worker] == [alone[index] for index in order]

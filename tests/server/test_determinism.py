"""The same picture gives the same answer: alone, in any batch, under any load."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as grpcclient
from hypothesis import given, settings
from hypothesis import strategies as st

from ppocr_converters.pictures.render import render_page

SAMPLES = Path(__file__).parents[2] / "samples"
OUTPUTS = ("BOXES", "TEXTS", "SCORES", "BOX_SCORES")
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


def read_bytes(grpc, data):
    """Every output of `ocr` for one picture, as bytes."""
    sent = grpcclient.InferInput("IMAGE", [1], "BYTES")
    sent.set_data_from_numpy(np.array([data], np.object_))
    # A smaller detector input: what is tested is who gets which answer, not how it reads.
    answer = grpc.infer("ocr", [sent], parameters={"det_limit_side_len": 480})
    return [(answer.as_numpy(name).shape, answer.as_numpy(name).tolist()) for name in OUTPUTS]


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


@pytest.mark.parametrize("requests", [48, pytest.param(1000, marks=pytest.mark.nightly)])
def test_eight_clients_get_what_one_client_gets(grpc, server, requests):
    pictures = [path.read_bytes() for path in sorted(SAMPLES.glob("*.jpg"))[:6]]
    assert len(pictures) == 6
    alone = [read_bytes(grpc, picture) for picture in pictures]
    wrong: list[int] = []
    turns = iter(range(requests))
    lock = threading.Lock()

    def work():
        with grpcclient.InferenceServerClient(server.grpc_url) as own:
            while True:
                with lock:
                    turn = next(turns, None)
                if turn is None:
                    return
                which = turn % len(pictures)
                if read_bytes(own, pictures[which]) != alone[which]:
                    wrong.append(which)

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert next(turns, None) is None
    assert wrong == []

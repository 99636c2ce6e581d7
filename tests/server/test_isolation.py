"""Nothing of one request is seen by another: requests and lines get what each gets alone."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from random import Random

import cv2
import numpy as np
import pytest
import tritonclient.grpc as grpcclient
import tritonclient.http as httpclient
from cases import cases
from hypothesis import given, settings
from hypothesis import strategies as st
from server_unit.stand_ins import sent
from tritonclient.utils import InferenceServerException

from ppocr_converters.pictures.render import render_page

pytestmark = pytest.mark.server
CLIENTS = 8
MODULES = {"grpc": grpcclient, "http": httpclient}
OUTPUTS = {
    "ocr": ("BOXES", "TEXTS", "SCORES", "BOX_SCORES"),
    "detect": ("BOXES", "BOX_SCORES"),
    "recognize": ("BOXES", "TEXTS", "SCORES", "BOX_SCORES"),
    "rec": ("INDICES", "PROBABILITIES"),
}
# Beside a limit that keeps the detector quick, an option of each kind.
OPTIONS: tuple[dict, ...] = cases(__file__)["options"]
QUICK = {"det_limit_side_len": 224}


def pictures():
    """Pages of many sizes, each with a line or two, as a file and as pixels."""
    for seed in range(10):
        page = render_page(seed=seed, lines=1 + seed % 2).image
        width = 120 + 37 * seed
        height = max(32, round(page.shape[0] * width / page.shape[1]))
        small = cv2.resize(page, (width, height), interpolation=cv2.INTER_AREA)
        suffix = (".png", ".jpg", ".bmp", ".webp")[seed % 4]
        yield cv2.imencode(suffix, small)[1].tobytes(), small


def boxes_of(pixels, count):
    height, width = pixels.shape[:2]
    box = np.array([[0, 0], [width, 0], [width, height // 2], [0, height // 2]], np.float32)
    return np.repeat(box[None], count, axis=0)


def good_and_bad():
    """Requests: the model, its inputs and its parameters."""
    for index, (data, pixels) in enumerate(pictures()):
        options = QUICK | OPTIONS[index % len(OPTIONS)]
        file, boxes = np.array([data], np.object_), boxes_of(pixels, 1 + index % 3)
        yield "ocr", {"IMAGE": file}, options
        yield "detect", {"IMAGE": file}, options
        yield "recognize", {"PIXELS": pixels, "BOXES": boxes}, {"drop_score": 0}
        if index % 3 == 0:
            yield "recognize", {"IMAGE": file}, {"rec_padding": "paddle", "drop_score": "0"}
        cut = np.array([data[: len(data) // 2]], np.object_)
        wrong = ({"det_db_tresh": 1}, {"drop_score": "2"}, {f"x{i}": 1 for i in range(40)})
        bad: tuple[tuple, ...] = (
            ("ocr", {"IMAGE": cut}, QUICK),
            ("detect", {"IMAGE": np.array([b""], np.object_)}, QUICK),
            ("ocr", {"IMAGE": file}, wrong[index % 3]),
            ("recognize", {"PIXELS": pixels, "BOXES": boxes * np.float32(1e30)}, {}),
            ("recognize", {"PIXELS": pixels, "BOXES": boxes_of(pixels, 2000)}, {}),
            ("recognize", {"IMAGE": cut, "BOXES": boxes}, {}),
            ("recognize", {"BOXES": boxes}, {}),
        )
        yield bad[index % len(bad)]
    # Calls of the recogniser itself, which its batcher may merge with those of `recognize`.
    for width in (0, 1, 128):
        rows = np.zeros((2, 48, width, 3), np.uint8)
        yield "rec", {"CROPS": rows, "WIDTHS": np.full((2, 1), width, np.int32)}, {}


def ask(client, module, request):
    """What a request is answered: every output to the bit, or the error's words and status."""
    model, arrays, parameters = request
    try:
        answer = client.infer(model, sent(arrays, module), parameters=parameters or None)
    except InferenceServerException as error:
        return error.message()
    found = {name: answer.as_numpy(name) for name in OUTPUTS[model]}
    return {name: (array.shape, array.tolist()) for name, array in found.items()}


@contextmanager
def connected(server) -> Iterator[dict]:
    """A client of each protocol, for the thread that made them."""
    with (
        grpcclient.InferenceServerClient(server.grpc_url) as grpc,
        httpclient.InferenceServerClient(server.http_url, network_timeout=300) as http,
    ):
        yield {"grpc": grpc, "http": http}


@pytest.fixture(scope="module")
def alone(server):
    """Every request over both protocols with what it is answered when nothing else is asked."""
    with connected(server) as clients:
        return [
            (protocol, request, ask(clients[protocol], MODULES[protocol], request))
            for request in good_and_bad()
            for protocol in MODULES
        ]


def test_the_requests_are_good_and_bad_and_of_every_kind(alone):
    refused = [answer for _, _, answer in alone if isinstance(answer, str)]
    assert len(alone) / 8 < len(refused) < len(alone) / 2
    assert len(set(refused)) >= 10
    assert sum("TEXTS" in answer and answer["TEXTS"][1] != [] for _, _, answer in alone) >= 20


@pytest.mark.parametrize("count", [600, pytest.param(10_000, marks=pytest.mark.nightly)])
def test_mixed_requests_get_what_they_get_alone(server, alone, count):
    """Ask many at a time, in a mixed order, and compare with what each was answered alone."""
    order = [index % len(alone) for index in range(count)]
    Random(count).shuffle(order)
    wrong = []

    def work(turns):
        with connected(server) as clients:
            for index in turns:
                protocol, request, expected = alone[index]
                got = ask(clients[protocol], MODULES[protocol], request)
                if got != expected:
                    wrong.append((protocol, request[0], request[2], expected, got))

    with ThreadPoolExecutor(CLIENTS) as pool:
        for _ in pool.map(work, (order[first::CLIENTS] for first in range(CLIENTS))):
            pass
    assert wrong == []


@pytest.fixture(scope="module")
def page(grpc):
    """A rendered page as pixels, its line boxes, and the text and score of each line alone."""
    rendered = render_page(seed=11, lines=12)
    boxes = np.stack([line.box for line in rendered.lines]).astype(np.float32)
    alone = [recognize(grpc, rendered.image, boxes[[index]])[0] for index in range(len(boxes))]
    return rendered.image, boxes, alone


def recognize(grpc, pixels, boxes):
    inputs = sent({"PIXELS": pixels, "BOXES": boxes})
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
    with ThreadPoolExecutor(len(orders)) as pool:
        answers = pool.map(lambda order: recognize(grpc, pixels, boxes[order]), orders)
        assert [*answers] == [[alone[index] for index in order] for order in orders]

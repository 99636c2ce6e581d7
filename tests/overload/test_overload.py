"""Ten times as many requests as may wait: most are refused at once, the others are read."""

from concurrent.futures import ThreadPoolExecutor
from statistics import median

import pytest

from ppocr_bench.clients import read_metrics, totals
from ppocr_bench.load import closed_loop
from ppocr_bench.pictures import Picture
from ppocr_bench.record import OK, Run
from ppocr_bench.target import sender, told
from ppocr_bench.verbs.overload import REFUSALS, alone
from ppocr_client import OcrClient, OcrResult
from ppocr_client.errors import ServerBusy
from ppocr_converters.pictures.render import encode_page, render_page
from ppocr_engine.config_pbtxt import read_config
from ppocr_server.tritonserver.server import TritonServer

pytestmark = pytest.mark.server

TIMES = 10


@pytest.fixture(scope="module")
def picture() -> bytes:
    """Three lines: read in a tenth of a second or so, which is long beside a refusal."""
    return encode_page(render_page(seed=3, lines=3, width=480))


@pytest.fixture(scope="module")
def limit(repository) -> int:
    """How many requests the repository takes at a time."""
    parameters = read_config(repository / "admit" / "config.pbtxt").parameters
    return int(parameters["max_requests"].string_value)


def send_at_once(url: str, picture: bytes, count: int, timeout: float = 60) -> Run:
    """So many requests, sent without waiting for any answer."""
    with sender(f"grpc://{url}", [Picture("page", picture)], timeout=timeout) as send:
        return closed_loop(told(send), count, requests=count)


def executions(server: TritonServer, model: str) -> int:
    return totals(read_metrics(f"http://{server.metrics_url}/metrics"))[model]["executions"]


def answer_alone(server: TritonServer, picture: bytes) -> OcrResult:
    return alone(f"grpc://{server.grpc_url}", picture)


def test_what_is_too_much_is_refused_at_once_and_the_rest_is_read(server, picture, limit):
    expected = answer_alone(server, picture)
    before = executions(server, "det_preprocess")
    run = send_at_once(server.grpc_url, picture, TIMES * limit)
    served, refused = run.latencies(OK), run.latencies(*REFUSALS)
    assert len(served) + len(refused) == TIMES * limit
    assert len(refused) > TIMES * limit / 2
    assert len(served) > limit / 4
    # A refusal does not wait for the work of others, and nothing refused was worked on.
    assert median(refused) < median(served) / 2
    assert executions(server, "det_preprocess") - before == len(served)
    assert answer_alone(server, picture) == expected


def test_the_refusal_says_what_it_is(server, picture, limit):
    def read(_: int) -> str:
        try:
            return client.read(picture).text
        except ServerBusy as error:
            return str(error)

    with (
        OcrClient(f"grpc://{server.grpc_url}", retries=0) as client,
        ThreadPoolExecutor(3 * limit) as pool,
    ):
        said = set(pool.map(read, range(3 * limit)))
    assert len(said) == 2
    assert any("Exceeds maximum queue size" in text and "max_requests" in text for text in said)


def test_clients_that_come_back_are_all_answered(server, picture, limit):
    """More clients than may wait: with retries each gets its answer."""
    with (
        OcrClient(f"grpc://{server.grpc_url}", retries=100) as client,
        ThreadPoolExecutor(2 * limit) as pool,
    ):
        texts = set(pool.map(lambda _: client.read(picture).text, range(2 * limit)))
    assert texts == {OcrClient(f"grpc://{server.grpc_url}").read(picture).text}


def test_what_was_given_up_is_not_worked_on(server, picture, limit):
    answer_alone(server, picture)
    before = executions(server, "det")
    run = send_at_once(server.grpc_url, picture, limit, timeout=0.05)
    gone = run.statuses["DEADLINE_EXCEEDED"]
    # Refused while they still hold their places, so it comes after all that is left of them.
    with OcrClient(f"grpc://{server.grpc_url}", retries=10) as client:
        client.read(picture)
    assert gone > limit / 2
    assert executions(server, "det") - before - 1 < gone / 2

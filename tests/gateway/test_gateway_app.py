"""What the gateway says about itself, and the layer around its routes."""

import base64
import http.client
import json
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import product

import pytest
import schemathesis
from gateway.conftest import gateway_process, started
from hypothesis import HealthCheck, Phase, settings
from paddle_serving.conftest import endpoint_process
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import positive_data_acceptance
from serving import ask, eventually, exchange, get

from ppocr_client import OcrClient, OcrResult
from ppocr_client.exports.pdf import to_pdf
from ppocr_client.options import OPTIONS
from ppocr_server.gateway.app import routes_of
from ppocr_server.gateway.parameters import FORMATS
from ppocr_server.gateway.reader import Reader
from ppocr_server.gateway.settings import GatewaySettings

pytestmark = pytest.mark.server
TOKEN = "a-token-of-twenty-four-characters"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
MANY = 60  # requests at a time; the repository admits 32


@pytest.fixture(scope="module")
def strict(server, tmp_path_factory) -> Iterator[str]:
    """A gateway with a token, an origin, and narrow limits."""
    file = tmp_path_factory.mktemp("strict") / "token"
    file.write_text(TOKEN)
    limits = ["--max-body-mb", "1", "--max-pages", "1", "--cors", "https://example.org"]
    url = f"grpc://{server.grpc_url}"
    with gateway_process(url, "--token-file", str(file), *limits) as address:
        yield address


def headers_of(address: str, path: str, **headers: str) -> tuple[int, http.client.HTTPMessage]:
    return exchange(address, "GET", path, headers=headers)[:2]


def metric(address: str, line: str) -> float:
    found = re.search(rf"^{re.escape(line)} (\S+)$", get(f"{address}/metrics").decode(), re.M)
    return float(found[1]) if found else 0.0


def test_a_request_keeps_its_id_or_gets_one(gateway):
    assert headers_of(gateway, "/healthz", **{"X-Request-Id": "a-1"})[1]["X-Request-Id"] == "a-1"
    made = headers_of(gateway, "/healthz", **{"X-Request-Id": "two words"})[1]["X-Request-Id"]
    assert re.fullmatch("[0-9a-f]{32}", made)
    assert headers_of(gateway, "/nothing")[1]["X-Request-Id"] != made


def test_triton_knows_a_request_by_its_id(gateway, server):
    named = {"X-Request-Id": "scan-4711"}
    status, body = ask(gateway, "POST", "/read", b"garbage", named)
    assert status == 400
    assert "scan-4711" not in json.loads(body)["error"]["message"]
    assert eventually(lambda: "[request id: scan-4711] IMAGE cannot be decoded" in server.log())


def test_the_token_is_wanted_by_all_that_reads(strict, picture):
    for path in ("/read", "/ocr/prediction"):
        assert ask(strict, "POST", path, picture)[0] == 401
    for path in ("/capabilities", "/nothing"):
        status, headers = headers_of(strict, path)
        assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
    for path in ("/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"):
        assert headers_of(strict, path)[0] == 200
    assert ask(strict, "POST", "/read", picture, BEARER)[0] == 200


def test_a_long_body_is_refused_before_it_is_sent(strict):
    with closing(http.client.HTTPConnection(strict, timeout=60)) as connection:
        connection.request("POST", "/read", b"", {**BEARER, "Content-Length": str(2 << 20)})
        assert connection.getresponse().status == 413
    parts = (b"x" * 65536 for _ in range(32))
    with closing(http.client.HTTPConnection(strict, timeout=60)) as connection:
        connection.request("POST", "/read", parts, BEARER, encode_chunked=True)
        answer = connection.getresponse()
        error = json.loads(answer.read())["error"]
    assert (answer.status, error["code"]) == (413, "body_too_large")
    assert "allowed: 1048576; send less" in error["message"]


def test_too_many_pages_are_refused(strict, picture):
    file = to_pdf([(picture, OcrResult(()))] * 2)
    status, body = ask(strict, "POST", "/read", file, BEARER)
    assert (status, b"2 pages are wanted; allowed: 1 a request" in body) == (413, True)
    assert ask(strict, "POST", "/read?pages=2&dpi=40", file, BEARER)[0] == 200


def test_web_pages_of_a_named_origin_may_ask_and_no_others(strict, gateway):
    origin = {"Origin": "https://example.org", "Access-Control-Request-Method": "POST"}
    assert ask(strict, "OPTIONS", "/read", b"", origin)[0] == 200
    told = headers_of(strict, "/healthz", Origin="https://example.org")[1]
    assert told["Access-Control-Allow-Origin"] == "https://example.org"
    for address, other in ((strict, "https://elsewhere.org"), (gateway, "https://example.org")):
        headers = headers_of(address, "/healthz", Origin=other)[1]
        assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize(
    ("query", "headers"), [("?timeout=0.001", {}), ("", {"X-Request-Timeout": "0.001"})]
)
def test_a_deadline_that_passes_is_504(gateway, picture, query, headers):
    status, body = ask(gateway, "POST", f"/read{query}", picture, headers)
    assert (status, json.loads(body)["error"]["code"]) == (504, "deadline_exceeded")


def test_a_full_triton_is_503_and_says_when_to_come_again(gateway, picture):
    def send(number: int) -> tuple[int, str | None]:
        status, headers, _ = exchange(gateway, "POST", "/read", picture)
        return status, headers["Retry-After"]

    with ThreadPoolExecutor(MANY) as pool:
        answers = set(pool.map(send, range(MANY)))
    assert answers == {(200, None), (503, "1")}


def test_without_triton_the_gateway_lives_and_says_so(picture):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with gateway_process(f"grpc://127.0.0.1:{nobody.getsockname()[1]}") as address:
            assert headers_of(address, "/healthz")[0] == 200
            status, headers = headers_of(address, "/readyz")
            assert (status, headers["Retry-After"]) == (503, "5")
            status, body = ask(address, "POST", "/read", picture)
            error = json.loads(body)["error"]
            assert (status, error["code"]) == (503, "unavailable")
            assert "is the server running there?" in error["message"]


def test_a_wrong_method_is_told_and_what_can_be_got_has_a_head(gateway):
    for asked, allowed in ("GET /read", "POST"), ("POST /about", "GET, HEAD"):
        status, body = ask(gateway, *asked.split())
        error = json.loads(body)["error"]
        assert (status, error["code"]) == (405, "method_not_allowed")
        assert f"{asked} is not answered; allowed: {allowed}; /docs" in error["message"]
    for path in ("/healthz", "/readyz", "/metrics", "/capabilities", "/docs", "/openapi.json", "/"):
        assert ask(gateway, "HEAD", path) == (200, b"")


def test_a_client_that_leaves_takes_its_work_along(gateway, picture):
    file = to_pdf([(picture, OcrResult(()))] * 200)
    gone = 'ppocr_gateway_requests_total{route="/read",status="499"}'
    before = metric(gateway, gone)
    with closing(http.client.HTTPConnection(gateway, timeout=60)) as connection:
        connection.request("POST", "/read?dpi=72", file)
        assert eventually(lambda: metric(gateway, "ppocr_gateway_requests_in_progress") > 1)
    # Two hundred pages take longer than this.
    assert eventually(lambda: metric(gateway, gone) == before + 1, 5)


def test_requests_in_progress_are_answered_when_it_is_stopped(server, picture):
    with started(f"grpc://{server.grpc_url}") as (process, address), ThreadPoolExecutor() as pool:
        ask(address, "POST", "/read", picture)
        file = to_pdf([(picture, OcrResult(()))] * 8)
        sent = pool.submit(ask, address, "POST", "/read?dpi=72", file)
        assert eventually(lambda: metric(address, "ppocr_gateway_requests_in_progress") > 1)
        process.terminate()
        status, body = sent.result()
        assert (status, len(json.loads(body)["pages"])) == (200, 8)
        assert process.wait(30) == 0


def test_answers_are_counted_by_route_and_errors_by_code(gateway, picture):
    right = 'ppocr_gateway_requests_total{route="/read",status="200"}'
    wrong = 'ppocr_gateway_refused_total{code="invalid_file",route="/read"}'
    before = metric(gateway, right), metric(gateway, wrong)
    ask(gateway, "POST", "/read", picture)
    ask(gateway, "POST", "/read", b"garbage")
    assert (metric(gateway, right), metric(gateway, wrong)) == (before[0] + 1, before[1] + 1)


def test_the_first_page_comes_while_the_others_are_read(gateway, picture):
    file = to_pdf([(picture, OcrResult(()))] * 16)
    with closing(http.client.HTTPConnection(gateway, timeout=60)) as connection:
        connection.request("POST", "/read?dpi=72&format=ndjson", file)
        with connection.getresponse() as answer:
            pages = [json.loads(answer.readline())["page"]]
            # This one, and that of the metrics.
            assert metric(gateway, "ppocr_gateway_requests_in_progress") == 2
            pages += [json.loads(line)["page"] for line in answer]
    assert pages == [*range(1, 17)]


SETTINGS = GatewaySettings()
SCHEMA = schemathesis.openapi.from_dict(routes_of(SETTINGS, Reader(SETTINGS)).openapi())


@SCHEMA.parametrize()
@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_described(case, gateway):
    # Bytes that are described well are still no picture, and a deadline may be too short.
    excluded = [not_a_server_error, positive_data_acceptance]
    case.call_and_validate(base_url=f"http://{gateway}", timeout=30, excluded_checks=excluded)


def test_capabilities_are_those_of_the_server(gateway, server):
    said = json.loads(get(f"{gateway}/capabilities"))
    with OcrClient(f"grpc://{server.grpc_url}") as client:
        info = client.server_info()
    assert said["models"] == {name: list(versions) for name, versions in info.models.items()}
    assert said["languages"] == list(info.languages) != []
    assert info.limits.items() <= said["limits"].items()
    assert list(said["options"]) == list(OPTIONS)
    assert said["options"]["drop_score"]["default"] == float(info.defaults.get("drop_score", 0.5))
    assert said["formats"] == FORMATS


def test_the_page_of_the_interface_needs_no_other_server(gateway):
    page = get(f"{gateway}/docs").decode()
    sources = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert sources
    assert all(source.startswith("/") and get(f"{gateway}{source}") for source in sources)


def test_paddle_serving_is_answered_as_on_its_own_port(gateway, server, picture, tmp_path):
    value = base64.b64encode(picture).decode()
    bodies = [json.dumps({"key": ["image"], "value": [value]}).encode(), b"{}", b"no JSON"]
    with endpoint_process(server.grpc_url, tmp_path) as old:
        own_port = f"127.0.0.1:{old.http_port}"
        for path, body in product(("/ocr/prediction", "/ocr/other"), bodies):
            expected = ask(own_port, "POST", path, body)
            assert ask(gateway, "POST", path, body) == expected

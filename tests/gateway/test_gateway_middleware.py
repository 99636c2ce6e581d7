"""The layer around all routes: ids, tokens, limits, deadlines, back-pressure, disconnects."""

import http.client
import json
import re
import socket
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from gateway.conftest import gateway_process, started
from serving import ask, eventually

from ppocr_client import OcrResult
from ppocr_client.exports.pdf import to_pdf

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
    with closing(http.client.HTTPConnection(address, timeout=60)) as connection:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers


def metric(address: str, line: str) -> float:
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
        found = re.search(rf"^{re.escape(line)} (\S+)$", answer.read().decode(), re.M)
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
    host, port = strict.split(":")
    head = (
        "POST /read HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), 30) as connection:
        connection.sendall(head.format(TOKEN, 2 << 20).encode())
        assert b"413" in connection.recv(100)
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
        with closing(http.client.HTTPConnection(gateway, timeout=60)) as connection:
            connection.request("POST", "/read", picture)
            answer = connection.getresponse()
            answer.read()
            return answer.status, answer.headers["Retry-After"]

    with ThreadPoolExecutor(MANY) as pool:
        answers = set(pool.map(send, range(MANY)))
    assert answers == {(200, None), (503, "1")}


def test_without_triton_the_gateway_lives_and_says_so(picture):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with gateway_process(f"grpc://127.0.0.1:{nobody.getsockname()[1]}") as address:
            assert headers_of(address, "/healthz")[0] == 200
            for status, headers in [headers_of(address, "/readyz")]:
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
    host, port = gateway.split(":")
    gone = 'ppocr_gateway_requests_total{route="/read",status="499"}'
    before = metric(gateway, gone)
    with socket.create_connection((host, int(port)), 30) as connection:
        head = f"POST /read?dpi=72 HTTP/1.1\r\nHost: x\r\nContent-Length: {len(file)}\r\n\r\n"
        connection.sendall(head.encode() + file)
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

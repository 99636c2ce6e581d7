"""Any bytes on a connection get answers of the old gateway's numbers, or none; never a 500."""

import asyncio
import base64
import json
import re
from collections.abc import Iterator
from random import Random
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.server import ServerState

from ppocr_server.paddle_serving.http import http_app

from ..mutate import mutate_bytes, mutate_list
from . import rpc

LOOP = asyncio.new_event_loop()
CONTINUE = 100
STATUSES = {200, 400, 404, 405, 429}
TURNS = 60  # of the event loop, more than any answer takes
HEAD = b"POST /ocr/prediction HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n"
NUMBERS = (True, 0, -1, 1.5, 2**63, 10**400)
VALUES: tuple[Any, ...] = (None, *NUMBERS, "", "x", "\ud800", "=", [], [None], {}, {"a": {}})
FIELDS = ("key", "value", "logid", "clientip", "name", "method", "tensors", "other")
BROKEN = (b"NaN", b"[" * 3000, b"1e999", b'"\\ud800"', b"9" * 5000, b'{"a":' * 3000, b"-", b"\xff")


def one_input(data: bytes) -> None:
    """Send bytes as a client that then goes away, and look at what came back."""
    sent = LOOP.run_until_complete(conversation(data))
    for status, body in answers(sent):
        assert status in STATUSES, sent
        if status == 200 and body.startswith(b"{"):
            rpc.check(**{name: json.loads(body)[name] for name in ("err_no", "err_msg", "value")})


async def conversation(data: bytes) -> bytes:
    """What the server writes to a client that sends `data` and closes."""
    failures: list[Exception] = []
    config = uvicorn.Config(
        watched(http_app(rpc.SERVICE), failures),
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        ws="none",
        proxy_headers=False,
    )
    config.load()
    state = ServerState()
    protocol_class: Any = config.http_protocol_class
    protocol = protocol_class(config=config, server_state=state, app_state={})
    wire = Wire()
    protocol.connection_made(wire)
    protocol.data_received(data)
    await turns()
    protocol.connection_lost(None)
    # Whatever still waits for the rest of a body hears that there is none.
    await turns()
    assert not state.tasks
    assert (rpc.SERVICE.running, rpc.SERVICE.waiting) == (0, 0)
    for failure in failures:
        raise failure
    return bytes(wire.written)


async def turns() -> None:
    """Let everybody else come to an end, who waits for nothing from outside."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


def watched(app: ASGIApp, failures: list[Exception]) -> ASGIApp:
    """The application, whose exceptions uvicorn would only log."""

    async def watching(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except Exception as error:
            failures.append(error)
            raise

    return watching


class Wire(asyncio.Transport):
    """A connection that keeps what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


def answers(sent: bytes) -> Iterator[tuple[int, bytes]]:
    """Status and body of every answer; `100 Continue` is none."""
    at = 0
    while match := re.match(rb"HTTP/1\.1 (\d{3}) .*?\r\n\r\n", sent[at:], re.DOTALL):
        status, length = int(match[1]), re.search(rb"content-length: (\d+)", match[0])
        start = at = at + match.end()
        if status != CONTINUE:
            at += int(length[1]) if length else len(sent)
            yield status, sent[start:at]


def request(fields: Any) -> bytes:
    """A whole request with a JSON body."""
    body = json.dumps(fields).encode()
    return HEAD % len(body) + body


def seeds() -> Iterator[bytes]:
    """Requests that are good, of other fields, paths and methods, chunked, and two at once."""
    picture = base64.b64encode(b"a picture").decode()
    good = {"key": ["image"], "value": [picture], "logid": 7, "clientip": "10.0.0.1"}
    tensor = {"name": "image", "elem_type": 7, "shape": [1, 1, 3], "uint32_data": [1, 2, 255]}
    file = {"name": "image", "elem_type": 13, "byte_data": picture}
    text = {"name": "image", "elem_type": 12, "str_data": [picture]}
    for fields in (good, {}, None, {"key": ["image"]}, good | {"key": ["b"]}):
        yield request(fields)
    yield from (request({"tensors": [one]}) for one in (tensor, file, text))
    body = request(good).partition(b"\r\n\r\n")[2]
    yield b"POST /other/x HTTP/1.0\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    chunked = b"POST /ocr/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    yield chunked + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    yield b"GET /ocr/prediction HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n" + request(good)
    yield b"HEAD /health/ready HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    yield b"POST /%6fcr/%0a HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"
    yield HEAD % (1 << 30) + b"{"


def mutate(data: bytes, random: Random) -> bytes:
    """Change the JSON of a request, or its bytes."""
    head, _, body = data.partition(b"\r\n\r\n")
    kind = random.randrange(4)
    if kind == 0:
        return mutate_bytes(data, random)
    if kind == 1:
        return mutate_bytes(head, random) + b"\r\n\r\n" + body
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        fields = None
    if kind == 2 or not isinstance(fields, dict):
        body = mutate_bytes(body, random)
        if random.random() < 0.2:
            body = body.replace(b'"', random.choice(BROKEN), 1)
    else:
        body = json.dumps(_with_change(fields, random)).encode()
    head = re.sub(rb"(?i)content-length: \d+", b"Content-Length: %d" % len(body), head)
    return head + b"\r\n\r\n" + body


def _with_change(value: Any, random: Random) -> Any:
    """A JSON value with a change in one place."""
    if isinstance(value, dict) and random.random() < 0.9:
        name = random.choice([*value, random.choice(FIELDS)])
        return value | {name: _with_change(value.get(name), random)}
    if isinstance(value, list) and value and random.random() < 0.8:
        return mutate_list(value, random, lambda item: _with_change(item, random))
    if isinstance(value, str) and random.random() < 0.5:
        return mutate_bytes(value.encode("utf-8", "replace"), random).decode("utf-8", "replace")
    return random.choice(VALUES)

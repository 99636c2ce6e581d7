"""The ports of Paddle Serving stay open while tritonserver is away, and say that it is."""

import asyncio
import base64
import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import wait
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import DEFAULT, Mock

import pytest
from paths import SIGN
from serving import answers, ask, eventually

from ppocr_server import configured
from ppocr_server.access import Security
from ppocr_server.configured import old_endpoints
from ppocr_server.paddle_serving.protocol import ErrNo
from ppocr_server.paddle_serving.settings import EndpointSettings
from ppocr_server.tritonserver.server import TritonServer

pytestmark = pytest.mark.server
PICTURE = SIGN.read_bytes()
# Its answer is a refusal, of Triton's own: the model has no input for pictures.
SETTINGS = EndpointSettings(http_port=0, rpc_port=None, host="127.0.0.1", model="small", options={})


@pytest.fixture
def triton(small_repository) -> Iterator[TritonServer]:
    with TritonServer(small_repository, grace=0) as running:
        yield running


@pytest.fixture
def url(triton) -> Iterator[str]:
    with old_endpoints(SETTINGS, triton) as endpoints:
        yield f"127.0.0.1:{endpoints.ports['http']}"


def err_no(url: str) -> int:
    body = {"key": ["image"], "value": [base64.b64encode(PICTURE).decode()]}
    status, answer = ask(url, "POST", "/ocr/prediction", json.dumps(body))
    assert status == 200
    return int(json.loads(answer)["err_no"])


def test_they_answer_9000_until_it_is_back(triton, url):
    def ready() -> bool:
        return answers(f"{url}/health/ready")

    assert eventually(ready)
    assert err_no(url) == ErrNo.UNKNOWN
    os.kill(triton.pid, signal.SIGKILL)
    assert triton.wait(20) is not None
    assert eventually(lambda: not ready(), 5)
    assert answers(f"{url}/health/live")
    assert err_no(url) == ErrNo.INFERENCE
    triton.restart()
    assert eventually(ready, 10)
    assert err_no(url) == ErrNo.UNKNOWN


def test_an_interrupt_before_they_are_open_ends_them(monkeypatch):
    stopped = []

    async def serve(*_: Any, stop: asyncio.Event, started: Any, **__: Any) -> None:
        started({})
        await asyncio.wait_for(stop.wait(), 10)
        stopped.append(True)

    interrupted = Mock(wraps=wait, side_effect=[KeyboardInterrupt, DEFAULT])
    monkeypatch.setattr(configured, "wait", interrupted)
    monkeypatch.setattr(configured, "serve_endpoint", serve)
    server = cast(TritonServer, SimpleNamespace(security=Security(), grpc_url=""))
    with pytest.raises(KeyboardInterrupt), old_endpoints(SETTINGS, server):
        pass
    assert stopped

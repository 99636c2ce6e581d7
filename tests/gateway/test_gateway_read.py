"""POST /read: what is sent, what is answered."""

from __future__ import annotations

import json

import pytest
from serving import ask

from ppocr_client import OcrClient
from ppocr_server.tritonserver.server import TritonServer

pytestmark = pytest.mark.server


def test_a_picture_is_read_as_by_the_client(
    gateway: str, server: TritonServer, picture: bytes
) -> None:
    status, body = ask(gateway, "POST", "/read", picture)
    with OcrClient(f"grpc://{server.grpc_url}") as client:
        expected = client.read(picture).to_dict()
    assert (status, json.loads(body)["pages"]) == (200, [{"page": 1, **expected}])
    assert expected["lines"]

"""Clients of the shared server."""

from collections.abc import Iterator
from typing import Any

import pytest
import tritonclient.grpc as grpcclient
import tritonclient.http as httpclient

from ppocr_client import OcrClient


@pytest.fixture(scope="session")
def grpc(server) -> Iterator[Any]:
    with grpcclient.InferenceServerClient(server.grpc_url) as client:
        yield client


@pytest.fixture(scope="session")
def http(server) -> Iterator[Any]:
    with httpclient.InferenceServerClient(server.http_url, network_timeout=300) as client:
        yield client


@pytest.fixture(scope="session")
def client(server) -> Iterator[OcrClient]:
    with OcrClient(server.grpc_url) as client:
        yield client

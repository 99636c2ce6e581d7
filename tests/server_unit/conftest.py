"""What the tests of every stand-in need."""

from collections.abc import Iterator
from typing import Any

import pytest
import tritonclient.grpc as grpcclient


@pytest.fixture(scope="module")
def client(running) -> Iterator[Any]:
    """Of the server that a file runs."""
    with grpcclient.InferenceServerClient(running.grpc_url) as connection:
        yield connection

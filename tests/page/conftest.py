"""The page of a gateway before the shared tritonserver."""

from collections.abc import Iterator

import pytest
from gateway.conftest import gateway_process


@pytest.fixture(scope="session")
def page(server) -> Iterator[str]:
    """The page's address, "http://127.0.0.1:PORT/"."""
    with gateway_process(f"grpc://{server.grpc_url}") as address:
        yield f"http://{address}/"

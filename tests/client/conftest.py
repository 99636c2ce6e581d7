"""What the tests of the client share: connections, the local web page, a Ray cluster."""

from __future__ import annotations

import importlib
import signal
import subprocess
from collections.abc import Iterator

import pytest
from client.samples import PROGRAM, heed_interrupts

from ppocr_client import OcrClient
from ppocr_server.tritonserver.server import TritonServer


@pytest.fixture(params=["grpc", "http"])
def url(server: TritonServer, request: pytest.FixtureRequest) -> str:
    """The server's address by both protocols."""
    return server.grpc_url if request.param == "grpc" else f"http://{server.http_url}"


@pytest.fixture
def client(url: str) -> Iterator[OcrClient]:
    """A client that is connected to the server."""
    with OcrClient(url) as connected:
        yield connected


@pytest.fixture(scope="session")
def page(server: TritonServer) -> Iterator[str]:
    """The page's address, "http://127.0.0.1:PORT/"; Ctrl-C ends it with exit code 0."""
    words = ["serve-ui", "--port", "0", "--dpi", "100", "--url", server.grpc_url]
    with subprocess.Popen(
        [PROGRAM, *words], stdout=subprocess.PIPE, text=True, preexec_fn=heed_interrupts
    ) as running:
        assert running.stdout is not None
        yield running.stdout.readline().split()[0]
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 0


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    """The address of two Ray nodes, each with a processor: two actors must be on both."""
    pytest.importorskip("ray.data")
    importlib.import_module("ppocr_client.batch.cluster")  # first, since it silences Ray
    from ray.cluster_utils import Cluster

    store = {"object_store_memory": 100 * 2**20}
    node = {"num_cpus": 1, "include_dashboard": False, **store}
    nodes = Cluster(initialize_head=True, head_node_args=node)
    nodes.add_node(num_cpus=1, **store)
    try:
        yield nodes.address
    finally:
        nodes.shutdown()

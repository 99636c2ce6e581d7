"""The built repository and one running server, shared by every test that needs them."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway.conftest import gateway_process
from hypothesis import HealthCheck, settings
from paths import ROOT, SAMPLES, SIGN
from server_unit.tiny_models import add_model, config, plus_one
from work_folders import V4

from ppocr_server.tritonserver.server import TritonServer

BIN = Path(sys.executable).parent
# `make test` tries the same inputs each time, on any machine; `make nightly` looks for new ones.
settings.register_profile(
    "test",
    derandomize=True,
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "nightly", settings.get_profile("test"), derandomize=False, max_examples=2000
)
settings.load_profile("test")


@pytest.fixture(scope="session")
def repository() -> Path:
    """A repository for ONNX Runtime, built once and again after a change of code that decides it.

    The profile is named, so that every machine serves the same arithmetic to the tests; tests of
    other engines build their own.
    """
    folder = ROOT / "build" / "test_repository"
    command = [BIN / "ppocr-convert", "build", *V4, "--profile", "cpu-onnxruntime"]
    subprocess.run([*command, "--out", folder], check=True)
    return folder


@pytest.fixture(scope="session")
def server(repository, tmp_path_factory) -> Iterator[TritonServer]:
    """The real tritonserver with the built repository, on free loopback ports."""
    log = tmp_path_factory.mktemp("tritonserver") / "triton.log"
    with TritonServer(repository, grace=0, log_path=log) as running:
        yield running


@pytest.fixture(autouse=True)
def _the_server_lives(request) -> Iterator[None]:
    """Say in the test in which the shared server ended that it did, and what it wrote last."""
    yield
    if "server" in request.fixturenames:
        running = request.getfixturevalue("server")
        if (status := running.poll()) is not None:
            pytest.fail(f"tritonserver has ended with status {status}:\n{running.log()[-8000:]}")


@pytest.fixture(scope="session")
def samples() -> dict[str, list[str]]:
    """The texts of every sample picture by its file name."""
    truth = json.loads((SAMPLES / "truth.json").read_text(encoding="utf-8"))
    return {name: [line["text"] for line in lines] for name, lines in truth.items()}


@pytest.fixture(scope="session")
def picture() -> bytes:
    """A sample with few lines, so that many requests do not take long."""
    return SIGN.read_bytes()


@pytest.fixture(scope="session")
def small_repository(tmp_path_factory) -> Path:
    """One model, `small`, in one process."""
    repository = tmp_path_factory.mktemp("small")
    add_model(repository, "small", config(), plus_one())
    return repository


@pytest.fixture(scope="session")
def small_server(small_repository) -> Iterator[TritonServer]:
    """A server with that model, for tests that leave it as it is."""
    with TritonServer(small_repository, grace=0) as running:
        yield running


@pytest.fixture(scope="session")
def gateway(server) -> Iterator[str]:
    """The "host:port" of a gateway as it comes."""
    with gateway_process(f"grpc://{server.grpc_url}") as address:
        yield address

"""The built repository and one running server, shared by every test that needs them."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.runner import runtestprotocol
from hypothesis import HealthCheck, settings
from server_unit.tiny_models import add_model, config, plus_one
from steadiness import Watch

from ppocr_server.tritonserver.server import TritonServer

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
WATCH = pytest.StashKey[Watch]()
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
    """A repository with ONNX Runtime; nothing is done again that stands.

    The engine is named, so that every machine serves the same arithmetic to the tests; tests of
    other engines build their own.
    """
    folder = ROOT / "build" / "test_repository"
    profile = ["--profile", "cpu-onnxruntime"]
    subprocess.run([BIN / "ppocr-convert", "build", "--out", folder, *profile], check=True)
    return folder


def pytest_configure(config: pytest.Config) -> None:
    """Watch the machine from the first test to the last."""
    config.stash[WATCH] = watch = Watch()
    config.add_cleanup(watch.end)


@pytest.fixture(scope="session")
def server(repository: Path, request: pytest.FixtureRequest) -> Iterator[TritonServer]:
    """The real tritonserver with the built repository, on free loopback ports."""
    log = request.getfixturevalue("tmp_path_factory").mktemp("tritonserver") / "triton.log"
    watch = request.config.stash[WATCH]
    with TritonServer(repository, grace=0, log_path=log) as watch.server:
        yield watch.server
        watch.server = None


def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """Run a test; once more if it failed on a machine on which Triton cannot be trusted."""
    watch = item.config.stash[WATCH]
    seen = len(watch.reasons)
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = runtestprotocol(item, nextitem=nextitem, log=False)
    # What Triton gave up may be asked by a later test only; a test without it is excused by
    # what happened while it ran.
    test = item if isinstance(item, pytest.Function) else None
    excuses = watch.reasons if test and "server" in test.fixturenames else watch.reasons[seen:]
    if test and excuses and any(one.failed for one in reports):
        warnings.warn(f"{item.nodeid} runs once more: {watch.replace_server()}", stacklevel=1)
        test._initrequest()
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


@pytest.fixture(autouse=True)
def _the_server_lives(request: pytest.FixtureRequest) -> Iterator[None]:
    """Say in the test in which the shared server ended that it did, and what it wrote last."""
    yield
    if "server" in request.fixturenames:
        running = request.getfixturevalue("server")
        if (status := running.poll()) is not None:
            pytest.fail(f"tritonserver has ended with status {status}:\n{running.log()[-8000:]}")


@pytest.fixture(scope="session")
def samples() -> dict[str, list[str]]:
    """The texts of every sample picture by its file name."""
    truth = json.loads((ROOT / "samples" / "truth.json").read_text(encoding="utf-8"))
    return {name: [line["text"] for line in lines] for name, lines in truth.items()}


@pytest.fixture(scope="session")
def small_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One model, `small`, in one process."""
    repository = tmp_path_factory.mktemp("small")
    add_model(repository, "small", config(), plus_one())
    return repository

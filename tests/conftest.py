"""The built repository and one running server, shared by every test that needs them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from server_unit.tiny_models import add_model, config, plus_one

from ppocr_server.triton import TritonServer

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent


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


@pytest.fixture(scope="session")
def server(repository: Path) -> Iterator[TritonServer]:
    """The real tritonserver with the built repository, on free loopback ports."""
    with TritonServer(repository, grace=0) as running:
        yield running


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

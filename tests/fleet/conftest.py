"""The programs and schemas that the files under docker/ are checked with."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from paths import ROOT

DOCKER = ROOT / "docker"
TOOLS = ROOT / "build" / "fleet-tools"


@pytest.fixture(scope="session")
def tools() -> Path:
    """The folder of tools, got once."""
    subprocess.run([sys.executable, DOCKER / "checks" / "tools.py", TOOLS], check=True)
    return TOOLS


@pytest.fixture(scope="session")
def program(tools) -> Callable[[str], Path]:
    """A program by its name; a test that needs one which cannot be had here is skipped."""

    def find(name: str) -> Path:
        path = tools / "bin" / name
        if not path.exists():
            pytest.skip(f"{name} comes from Debian's packages, which this system does not have")
        return path

    return find

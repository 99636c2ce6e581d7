"""Environments of their own for what is compared with, whose versions no other part can share.

Each is made once, under a folder, from the versions in `requirements/`, which are all pinned, so
that a later release cannot break an environment that once worked.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ppocr_bench.errors import BenchError

logger = logging.getLogger(__name__)

REQUIREMENTS = Path(__file__).with_name("requirements")


class Environment(NamedTuple):
    """What is installed: `requirements/KEY.txt`, with options for pip.

    `pythons` are the versions it runs on, such as "3.8"; none is that of the Python that runs this.
    """

    name: str
    key: str
    options: tuple[str, ...] = ()
    pythons: tuple[str, ...] = ()


PADDLEOCR = Environment("PaddleOCR", "paddleocr")
RAPIDOCR = Environment("RapidOCR", "rapidocr", ("--no-deps",))
PADDLE_SERVING = Environment("Paddle Serving", "paddle-serving", ("--no-deps",), ("3.8", "3.9"))


def ensure_environment(environment: Environment, folder: Path) -> Path:
    """Make the environment in a folder unless it stands there already; its Python.

    Raises:
        BenchError: it cannot be made; the last lines of the failing command are in the message.
    """
    python, complete = folder / "bin" / "python", folder / "complete"
    requirements = REQUIREMENTS / f"{environment.key}.txt"
    pins = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if complete.is_file() and complete.read_text() == pins:
        return python
    base = find_python(environment)
    logger.info("installing %s into %s (once, some minutes)", environment.name, folder)
    _run([base, "-m", "venv", "--clear", folder])
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([python, *install, *environment.options, "-r", requirements])
    complete.write_text(pins)
    return python


def find_python(environment: Environment) -> str:
    """A Python that the environment can be made with; BenchError where there is none."""
    if not environment.pythons:
        return sys.executable
    for version in environment.pythons:
        python = shutil.which(f"python{version}")
        # A version manager's stand-in exists even where the version does not.
        if python and subprocess.run([python, "-V"], capture_output=True).returncode == 0:
            return python
    raise BenchError(
        f"{environment.name} needs Python {' or '.join(environment.pythons)}, which is not on PATH"
    )


def _run(command: Sequence[str | Path]) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        tail = "\n".join((done.stderr or done.stdout).strip().splitlines()[-12:])
        raise BenchError(
            f"{' '.join(map(str, command[:4]))} … ended with {done.returncode}:\n{tail}"
        )

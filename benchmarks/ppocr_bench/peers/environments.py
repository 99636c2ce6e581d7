"""Environments of their own for what is compared with, whose versions no other part can share.

Each is made once, under a folder, from the versions in `requirements/`, which are all pinned, so
that a later release cannot break an environment that once worked.
"""

from __future__ import annotations

import hashlib
import logging
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ppocr_bench.errors import BenchError

logger = logging.getLogger(__name__)

REQUIREMENTS = Path(__file__).with_name("requirements")


def ensure_environment(name: str, folder: Path) -> Path:
    """Make the environment of `requirements/NAME.txt` unless it stands there; its Python.

    Without such a file it is the Python that runs this.

    Raises:
        BenchError: it cannot be made; the last lines of the failing command are in the message.
    """
    python, complete = folder / "bin" / "python", folder / "complete"
    requirements = REQUIREMENTS / f"{name}.txt"
    if not requirements.is_file():
        return Path(sys.executable)
    pins = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if complete.is_file() and complete.read_text() == pins:
        return python
    logger.info("installing %s into %s (once, some minutes)", name, folder)
    _run([sys.executable, "-m", "venv", "--clear", folder])
    # The files are complete: what a package asks for otherwise may be no longer to be had.
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    _run([python, *install, "-r", requirements])
    complete.write_text(pins)
    return python


def _run(command: Sequence[str | Path]) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        tail = "\n".join((done.stderr or done.stdout).strip().splitlines()[-12:])
        words = " ".join(map(str, command[:4]))
        raise BenchError(f"{words} … ended with {done.returncode}:\n{tail}")

"""Assemble the backend directory that tritonserver is pointed at."""

from __future__ import annotations

import shutil
from pathlib import Path

from ppocr_server.tritonserver.locate import Installation

STAND_INS = Path(__file__).parents[1] / "backends"
_CACHES = shutil.ignore_patterns("__pycache__")


def assemble_backends(installation: Installation, target: Path) -> Path:
    """Return a complete backend directory, assembled in `target` where parts are missing.

    The backends of a container with all C++ engines are used as they are. Otherwise `target` gets
    links to the installation's backends, the Python stand-ins of the engines that it lacks, and,
    for the wheel, the Python stub of the running Python version.
    Triton takes `onnxruntime/model.py` for the backend when that folder has no shared library.

    Args:
        installation: what `find_tritonserver` returned.
        target: an empty or absent folder that belongs to this server alone.
    """
    if not installation.stand_ins:
        return installation.backends
    target.mkdir(parents=True, exist_ok=True)
    for backend in installation.backends.iterdir():
        if backend.name == "python" and installation.stub is not None:
            # Copied (3 MB), because Triton refuses a library that links out of its backend folder.
            shutil.copytree(backend, target / "python", ignore=_CACHES)
            shutil.copy2(installation.stub, target / "python")
        elif backend.name not in installation.stand_ins:
            (target / backend.name).symlink_to(backend)
    for name in installation.stand_ins:
        (target / name).symlink_to(STAND_INS / name)
    return target

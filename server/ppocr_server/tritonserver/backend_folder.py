"""Assemble the backend directory that tritonserver is pointed at."""

from __future__ import annotations

import shutil
from pathlib import Path

from ppocr_server.tritonserver.locate import Installation

STAND_INS = Path(__file__).parents[1] / "backends"
_CACHES = shutil.ignore_patterns("__pycache__")


def assemble_backends(installation: Installation, target: Path) -> Path:
    """Return a complete backend directory, assembled in `target` where parts are missing.

    A container with the C++ backends of all engines is used as it is. Otherwise `target` becomes
    a copy in links of the installation's backends, plus the Python-based stand-ins of those
    engines that it lacks, plus, for the wheel, the Python stub of the running Python version.
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
            # Copied, 3 MB: Triton refuses a library that is a link out of its backend's folder.
            shutil.copytree(backend, target / "python", ignore=_CACHES)
            shutil.copy2(installation.stub, target / "python")
        elif backend.name not in installation.stand_ins:
            (target / backend.name).symlink_to(backend)
    for name in installation.stand_ins:
        (target / name).symlink_to(STAND_INS / name)
    return target

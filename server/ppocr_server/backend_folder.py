"""Assemble the backend directory that tritonserver is pointed at."""

from __future__ import annotations

import shutil
from pathlib import Path

from ppocr_server.locate import Installation

STAND_IN = Path(__file__).parent / "backends" / "onnxruntime"
_CACHES = shutil.ignore_patterns("__pycache__")


def assemble_backends(installation: Installation, target: Path) -> Path:
    """Return a complete backend directory, assembled in `target` where parts are missing.

    A container with the C++ ONNX Runtime backend is used as it is. Otherwise `target` becomes a
    copy in links of the installation's backends, plus the Python-based `onnxruntime` stand-in,
    plus, for the wheel, the Python stub of the running Python version. Triton takes
    `onnxruntime/model.py` for the backend when that folder has no shared library.

    Args:
        installation: what `find_tritonserver` returned.
        target: an empty or absent folder that belongs to this server alone.
    """
    if installation.has_onnxruntime:
        return installation.backends
    target.mkdir(parents=True, exist_ok=True)
    for backend in installation.backends.iterdir():
        if backend.name == "python" and installation.stub is not None:
            # Copied, 3 MB: Triton refuses a library that is a link out of its backend's folder.
            shutil.copytree(backend, target / "python", ignore=_CACHES)
            shutil.copy2(installation.stub, target / "python")
        elif backend.name != "onnxruntime":
            (target / backend.name).symlink_to(backend)
    (target / "onnxruntime").symlink_to(STAND_IN)
    return target

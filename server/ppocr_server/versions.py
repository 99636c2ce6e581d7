"""Name the versions that an answer depends on."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence

from ppocr_server.locate import WHEEL, Installation

# One package, several distributions: with CUDA, with OpenVINO, without a display.
ONNXRUNTIME = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino")
OPENCV = (
    "opencv-python-headless",
    "opencv-python",
    "opencv-contrib-python-headless",
    "opencv-contrib-python",
)


def component_versions(installation: Installation, triton: str = "") -> dict[str, str]:
    """Return version by component: triton, onnxruntime, opencv.

    Args:
        installation: the tritonserver in use.
        triton: what the server itself says ("2.51.0"), empty before it runs.
    """
    origin = f"{WHEEL} {_first((WHEEL,))}" if installation.origin == "wheel" else "container"
    return {
        "triton": f"{triton} ({origin})" if triton else origin,
        "onnxruntime": (
            _library_version(installation)
            if installation.has_onnxruntime
            else f"{_first(ONNXRUNTIME)} (Python stand-in)"
        ),
        "opencv": _first(OPENCV),
    }


def version_line(versions: Mapping[str, str]) -> str:
    """All versions in one line for people."""
    names = {"triton": "Triton", "onnxruntime": "ONNX Runtime", "opencv": "OpenCV"}
    return ", ".join(f"{names[key]} {version}" for key, version in versions.items())


def _first(distributions: Sequence[str]) -> str:
    for name in distributions:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "not installed"


def _library_version(installation: Installation) -> str:
    """The C++ backend carries its library as libonnxruntime.so.<version>."""
    names = sorted(
        path.name.partition(".so.")[2]
        for path in (installation.backends / "onnxruntime").glob("libonnxruntime.so.*")
    )
    return f"{names[-1] if names else 'unknown version'} (C++ backend)"

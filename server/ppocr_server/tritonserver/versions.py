"""The versions of the components that an answer depends on."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence

from ppocr_server.tritonserver.locate import WHEEL, Installation

# Distributions of one package: with CUDA, with OpenVINO, without a display.
DISTRIBUTIONS = {
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino"),
    "openvino": ("openvino",),
}
OPENCV = (
    "opencv-python-headless",
    "opencv-python",
    "opencv-contrib-python-headless",
    "opencv-contrib-python",
)


def component_versions(installation: Installation, triton: str = "") -> dict[str, str]:
    """Return version by component: triton, onnxruntime, openvino, opencv.

    Args:
        installation: the tritonserver in use.
        triton: as the server reports it ("2.51.0"), empty before it runs.
    """
    origin = f"{WHEEL} {_first((WHEEL,))}" if installation.origin == "wheel" else "container"
    return {
        "triton": f"{triton} ({origin})" if triton else origin,
        **{name: _engine_version(installation, name) for name in DISTRIBUTIONS},
        "opencv": _first(OPENCV),
    }


def version_line(versions: Mapping[str, str]) -> str:
    """All versions in one line for people."""
    names = {
        "triton": "Triton",
        "onnxruntime": "ONNX Runtime",
        "openvino": "OpenVINO",
        "opencv": "OpenCV",
    }
    return ", ".join(f"{names[key]} {version}" for key, version in versions.items())


def _first(distributions: Sequence[str]) -> str:
    for name in distributions:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "not installed"


def _engine_version(installation: Installation, name: str) -> str:
    """A C++ backend carries its library as lib<name>.so.<version>."""
    if name in installation.stand_ins:
        return f"{_first(DISTRIBUTIONS[name])} (Python stand-in)"
    names = sorted(
        path.name.partition(".so.")[2]
        for path in (installation.backends / name).glob(f"lib{name}.so.*")
    )
    return f"{names[-1] if names else 'unknown version'} (C++ backend)"

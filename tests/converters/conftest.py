"""The real PP-OCRv4 models, fetched and converted once for all sessions."""

from pathlib import Path

import pytest
from paths import ROOT
from work_folders import CLS, DET, REC

from ppocr_converters.graph.onnx_model import OnnxFile


@pytest.fixture(scope="session")
def models() -> Path:
    """The folder with the Paddle models, each in a folder of its name."""
    from ppocr_converters.catalogue.entries import catalogue
    from ppocr_converters.catalogue.fetch import fetch
    from ppocr_converters.files import only_one

    folder = ROOT / "build" / "models"
    with only_one(ROOT / "build"):
        for name in (DET, REC, CLS):
            fetch(catalogue().find(name), folder)
    return folder


@pytest.fixture(scope="session")
def built(repository) -> Path:
    """The folder with converted.onnx and model.onnx of each model, as `build` leaves them."""
    return repository.parent / "onnx"


@pytest.fixture(scope="session")
def networks(built) -> dict[str, OnnxFile]:
    """The compiled detector and recogniser."""
    names = {"det": DET, "rec": REC}
    return {kind: OnnxFile(built / name / "model.onnx") for kind, name in names.items()}

"""RapidOCR on ONNX Runtime, with PaddleOCR's parameters, which are in rapidocr.json."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rapidocr_onnxruntime import RapidOCR  # type: ignore[import-not-found]
from rapidocr_onnxruntime.ch_ppocr_det.utils import (  # type: ignore[import-not-found]
    DetPreProcess,
)

PACKAGES = ("rapidocr-onnxruntime", "onnxruntime", "opencv-python", "numpy")
SIDE_LIMIT = 960  # pixels
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def make(settings: dict[str, Any]) -> Callable[[str], list[tuple[str, float, Any]]]:
    """Settings: `det_onnx`, `rec_onnx` and `dictionary` (files), `rec_height`, `threads`."""
    if settings["threads"] == 1:
        cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "config.yaml")
        file.write_text(json.dumps(configuration(settings)), "utf-8")  # YAML holds all of JSON.
        ocr = RapidOCR(config_path=str(file))
    # RapidOCR goes by limits of its own, 960, 1500 or 2000, whatever it is told.
    ocr.text_det.get_preprocess = lambda _: DetPreProcess(SIDE_LIMIT, "max", MEAN, STD)

    def read(path: str) -> list[tuple[str, float, Any]]:
        lines, _ = ocr(cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR))
        # None stands for a picture without text.
        return [(text, float(score), box) for box, text, score in (lines or [])]

    return read


def configuration(settings: dict[str, Any]) -> dict[str, Any]:
    """RapidOCR's own file; its own classifier is loaded whether it is used or not, half a MB."""
    whole = json.loads(Path(__file__).with_name("rapidocr.json").read_text("utf-8"))
    threads = {"intra_op_num_threads": settings["threads"], "inter_op_num_threads": 1}
    for network in ("Det", "Cls", "Rec"):
        whole[network] |= {**threads, "use_cuda": False, "use_dml": False}
    whole["Det"]["model_path"] = settings["det_onnx"]
    whole["Rec"] |= {
        "model_path": settings["rec_onnx"],
        "rec_keys_path": settings["dictionary"],
        "rec_img_shape": [3, settings["rec_height"], 320],
    }
    return whole

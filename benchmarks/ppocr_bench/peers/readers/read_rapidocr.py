"""RapidOCR, or RapidOCRLite, as it is installed, with the weights of the repository."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from importlib import metadata
from typing import Any

from rapidocr import RapidOCR  # type: ignore[import-not-found]

#: RapidOCRLite, in C++, needs none of the others.
NAMES = ("rapidocr", "rapidocrlite", "onnxruntime", "opencv-python-headless", "numpy")
PACKAGES = [one for one in NAMES if any(metadata.distributions(name=one))]


def make(settings: dict[str, Any]) -> Callable[[str], list[tuple[str, float, Any]]]:
    """Settings: `det_onnx`, `rec_onnx`, `dictionary` (files), `threads`, `use_cls`."""
    with contextlib.suppress(ImportError):
        import cv2

        cv2.setNumThreads(settings["threads"])
    ocr = RapidOCR(
        params={
            "Global.use_cls": settings["use_cls"],
            "Det.model_path": settings["det_onnx"],
            "Rec.model_path": settings["rec_onnx"],
            "Rec.rec_keys_path": settings["dictionary"],
            "EngineConfig.onnxruntime.intra_op_num_threads": settings["threads"],
        }
    )

    def read(path: str) -> list[tuple[str, float, Any]]:
        found = ocr(path)
        if found.txts is None:  # a picture without text
            return []
        lines = zip(found.txts, found.scores, found.boxes, strict=True)
        return [(text, float(score), box.tolist()) for text, score, box in lines]

    return read

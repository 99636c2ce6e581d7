"""PaddleOCR 3's own pipeline on its ONNX Runtime engine, with the weights of the repository.

Orientation and unwarping are off: the weights of these networks are in no Python package.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Otherwise PaddleX asks the model hosts whether they can be reached.
os.environ["PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK"] = "True"

import cv2
from paddleocr import PaddleOCR  # type: ignore[import-not-found]

PACKAGES = ("paddleocr", "paddlex", "onnxruntime", "opencv-contrib-python", "numpy")
DECODE = {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}}


def make(settings: dict[str, Any]) -> Callable[[str], list[tuple[str, float, Any]]]:
    """Settings: `det_onnx`, `rec_onnx`, `dictionary` (files), `threads`."""
    cv2.setNumThreads(settings["threads"])
    characters = Path(settings["dictionary"]).read_text("utf-8").splitlines()
    det, rec = (Path(settings[name]) for name in ("det_onnx", "rec_onnx"))
    det_steps = [DECODE, {"DetResizeForTest": None}, {"NormalizeImage": None}, {"ToCHWImage": None}]
    rec_steps = [DECODE, {"RecResizeImg": {"image_shape": [3, 48, 320]}}]
    decode = {"name": "CTCLabelDecode", "character_dict": characters}
    ocr = PaddleOCR(
        text_detection_model_name=name_of(det),
        text_detection_model_dir=model_folder(det, det_steps, {"name": "DBPostProcess"}),
        text_recognition_model_name=name_of(rec),
        text_recognition_model_dir=model_folder(rec, rec_steps, decode),
        use_doc_orientation_classify=False,
        use_doc_unwarping=False,
        use_textline_orientation=False,
        engine="onnxruntime",
        engine_config={"intra_op_num_threads": settings["threads"]},
    )

    def read(path: str) -> list[tuple[str, float, Any]]:
        (page,) = ocr.predict(path)
        lines = zip(page["rec_texts"], page["rec_scores"], page["rec_polys"], strict=True)
        return [(text, float(score), box.tolist()) for text, score, box in lines]

    return read


def name_of(onnx: Path) -> str:
    """The model's name for PaddleOCR, of a file that `build` put in a folder of this name."""
    return onnx.parent.name.removesuffix("_onnx")


def model_folder(onnx: Path, steps: list[Any], end: dict[str, Any]) -> str:
    """A folder as PaddleOCR 3 takes it: the network, and what comes before and after it."""
    folder = Path.home() / name_of(onnx)
    folder.mkdir()
    (folder / "inference.onnx").symlink_to(onnx)
    told = {
        "Global": {"model_name": name_of(onnx)},
        "PreProcess": {"transform_ops": steps},
        "PostProcess": end,
    }
    # JSON is YAML.
    (folder / "inference.yml").write_text(json.dumps(told, ensure_ascii=False), "utf-8")
    return str(folder)

"""An OCR service on Paddle Serving 0.9.0's Python pipeline: the old way to serve these models.

Run by a Python 3.8 or 3.9 that has the old packages, in a working directory of its own (the
pipeline writes its logs there); never imported. It serves RPC until its standard input ends.

    python run_paddle_serving.py SERVICE.json

SERVICE.json: `config` as config.yml holds it, with the Ops `det` and `rec`; `dictionary`, the
recogniser's characters, one a line; `height`, its input height in pixels.
"""

from __future__ import annotations

import base64
import json
import math
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np

# The serving client must come before paddle, which the first Op imports.
import paddle_serving_client  # type: ignore[import-not-found]  # noqa: F401
from paddle_serving_app.reader import (  # type: ignore[import-not-found]
    DBPostProcess,
    FilterBoxes,
    GetRotateCropImage,
    OCRReader,
    ResizeByFactor,
    SortedBoxes,
)
from paddle_serving_server.pipeline import Op  # type: ignore[import-not-found]
from paddle_serving_server.web_service import WebService  # type: ignore[import-not-found]

SERVICE = json.loads(Path(sys.argv[1]).read_text("utf-8"))
SIDE_LIMIT, STRIDE = 960, 32  # pixels
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)
DB = {"thresh": 0.3, "box_thresh": 0.6, "max_candidates": 1000, "unclip_ratio": 1.5, "min_size": 3}
GROUP = 6  # lines in one run of the recogniser
GOOD = (None, "")  # no error number, no error text


class DetOp(Op):  # type: ignore[misc]
    """Base64 to boxes."""

    def init_op(self) -> None:
        """Called once in every process of the Op."""
        self.resize, self.find_boxes = ResizeByFactor(STRIDE, SIDE_LIMIT), DBPostProcess(DB)
        self.filter_boxes = FilterBoxes(10, 10)

    def preprocess(self, input_dicts: Any, data_id: int, log_id: int) -> Any:
        """Decode, resize and normalise."""
        (request,) = input_dicts.values()
        self.file = base64.b64decode(request["image"])
        picture = decode(self.file)
        self.size = picture.shape[:2]
        resized = self.resize(picture)
        self.ratio = resized.shape[0] / self.size[0], resized.shape[1] / self.size[1]
        pixels = resized.astype(np.float32) / 255
        pixels = (pixels - MEAN) / STD
        return {"x": pixels.transpose(2, 0, 1)[None].copy()}, False, *GOOD

    def postprocess(self, input_data: Any, fetch_data: Any, data_id: int, log_id: int) -> Any:
        """Boxes of the probability map, and the file for the next Op."""
        found = self.find_boxes(fetch_data["output"], [self.ratio])[0]
        boxes = self.filter_boxes(found, self.size) if len(found) else np.zeros((0, 4, 2))
        return {"boxes": boxes, "file": self.file}, *GOOD


class RecOp(Op):  # type: ignore[misc]
    """Boxes to lines."""

    def init_op(self) -> None:
        """Called once in every process of the Op."""
        self.sort_boxes, self.crop = SortedBoxes(), GetRotateCropImage()
        self.reader = OCRReader(char_dict_path=SERVICE["dictionary"])

    def preprocess(self, input_dicts: Any, data_id: int, log_id: int) -> Any:
        """Crops in groups, all padded to the widest of the picture."""
        (found,) = input_dicts.values()
        picture = decode(found["file"])
        self.boxes = self.sort_boxes(found["boxes"])
        if not len(self.boxes):
            return {}, True, *GOOD
        crops = [self.crop(picture, box.copy()) for box in self.boxes]
        ratio = max(crop.shape[1] / crop.shape[0] for crop in crops)
        rows = np.stack([fit(crop, ratio) for crop in crops])
        feeds = [{"x": rows[start : start + GROUP]} for start in range(0, len(rows), GROUP)]
        return feeds, False, *GOOD

    def postprocess(self, input_data: Any, fetch_data: Any, data_id: int, log_id: int) -> Any:
        """Texts with their scores and boxes, as text."""
        groups = fetch_data if isinstance(fetch_data, list) else [fetch_data]
        read = [
            line
            for group in groups
            if group
            for line in self.reader.postprocess_ocrv2(
                {"save_infer_model/scale_0.tmp_1": group["output"]}, with_score=True
            )
        ]
        lines = [
            # The mean over no character at all is no number.
            [(text, float(score) if text else 0.0), box.tolist()]
            for (text, score), box in zip(read, self.boxes)  # noqa: B905  # Python 3.8 has no strict
        ]
        return {"result": str(lines)}, *GOOD


class Service(WebService):  # type: ignore[misc]
    """The two Ops in a row."""

    def get_pipeline_response(self, read_op: Any) -> Any:
        """The last Op."""
        return RecOp(name="rec", input_ops=[DetOp(name="det", input_ops=[read_op])])


def decode(file: bytes) -> Any:
    """BGR pixels of an encoded picture."""
    return cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR)


def fit(crop: Any, ratio: float) -> Any:
    """float32 [3, height, height * ratio]: resized, normalised, padded with zeros on the right."""
    height = SERVICE["height"]
    row = np.zeros((3, height, int(height * ratio)), np.float32)
    width = min(math.ceil(height * crop.shape[1] / crop.shape[0]), row.shape[2])
    pixels = cv2.resize(crop, (width, height)).astype(np.float32).transpose(2, 0, 1)
    row[:, :, :width] = (pixels / 255 - 0.5) / 0.5
    return row


def end_with_parent() -> None:
    """Kill this process and all of its group once standard input has ended."""
    # Not sys.stdin: every forked process closes that, and would wait for this thread's lock.
    while os.read(0, 1):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    threading.Thread(target=end_with_parent, daemon=True).start()
    service = Service(name="ocr")
    service.prepare_pipeline_config(yml_dict=SERVICE["config"])
    service.run_service()

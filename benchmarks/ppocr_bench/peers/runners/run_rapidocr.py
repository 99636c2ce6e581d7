"""Read pictures with RapidOCR on ONNX Runtime, with PaddleOCR's parameters.

Run by the Python of an environment that has rapidocr-onnxruntime, never imported: this file needs
nothing of the project but `child` beside it, whose protocol it speaks.

    python run_rapidocr.py --det-model FILE --rec-model FILE --dictionary FILE --threads N
"""

from __future__ import annotations

import argparse
import json
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

import child  # type: ignore[import-not-found]
import cv2
import numpy as np
from rapidocr_onnxruntime import RapidOCR  # type: ignore[import-not-found]
from rapidocr_onnxruntime.ch_ppocr_det.utils import (  # type: ignore[import-not-found]
    DetPreProcess,
)

PACKAGES = ("rapidocr-onnxruntime", "onnxruntime", "opencv-python", "numpy")
SIDE_LIMIT = 960  # pixels
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def main() -> None:
    """Read pictures until there are no more."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--det-model", required=True, help="ONNX file")
    parser.add_argument("--rec-model", required=True, help="ONNX file")
    parser.add_argument("--dictionary", required=True, help="characters, one a line")
    parser.add_argument("--rec-height", type=int, default=48, help="recogniser input height")
    parser.add_argument("--threads", type=int, required=True, help="of one inference")
    args = parser.parse_args()
    if args.threads == 1:
        cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "config.yaml")
        file.write_text(json.dumps(configuration(args)), "utf-8")  # YAML holds all of JSON.
        ocr = RapidOCR(config_path=str(file))
    # RapidOCR goes by limits of its own, 960, 1500 or 2000, whatever it is told.
    ocr.text_det.get_preprocess = lambda _: DetPreProcess(SIDE_LIMIT, "max", MEAN, STD)
    child.serve({name: metadata.version(name) for name in PACKAGES}, lambda path: read(ocr, path))


def configuration(args: argparse.Namespace) -> dict[str, Any]:
    """RapidOCR's configuration file with PaddleOCR's values, which are in rapidocr.json.

    Its own classifier is loaded whether it is used or not: half a megabyte.
    """
    whole = json.loads(Path(__file__).with_name("rapidocr.json").read_text("utf-8"))
    threads = {"intra_op_num_threads": args.threads, "inter_op_num_threads": 1}
    for network in ("Det", "Cls", "Rec"):
        whole[network] |= {**threads, "use_cuda": False, "use_dml": False}
    whole["Det"]["model_path"] = args.det_model
    shape = [3, args.rec_height, 320]
    model = {"model_path": args.rec_model, "rec_keys_path": args.dictionary}
    whole["Rec"] |= {**model, "rec_img_shape": shape}
    return whole


def read(ocr: Any, path: str) -> list[tuple[str, float, Any]]:
    """The lines of one picture in RapidOCR's order."""
    pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    lines, _ = ocr(pixels)
    # None stands for a picture without text.
    return [(text, float(score), box) for box, text, score in (lines or [])]


if __name__ == "__main__":
    main()

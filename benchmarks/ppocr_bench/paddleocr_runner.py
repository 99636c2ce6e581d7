"""Read pictures with PaddleOCR's own pipeline and write what it read as JSON.

Run by the Python of an environment that has paddleocr 2.10.0, never imported: this file needs
nothing of the project. Everything that PaddleOCR would otherwise choose or download is given.

    python paddleocr_runner.py --det-model DIR --rec-model DIR --dictionary FILE \
        --out READ.json PICTURE...
"""

from __future__ import annotations

import argparse
import json
import os
import zlib
from pathlib import Path
from typing import Any

# The libraries of paddlepaddle 2.6.2 export a zlib of their own, which breaks Python's unless
# that has been used, and thereby bound, before.
zlib.decompress(zlib.compress(b""))

import cv2  # noqa: E402
import numpy  # noqa: E402
import paddle  # noqa: E402
import paddleocr  # type: ignore[import-not-found]  # noqa: E402


def main() -> None:
    """Read all pictures in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--det-model", required=True, help="Paddle detector folder")
    parser.add_argument("--rec-model", required=True, help="Paddle recogniser folder")
    parser.add_argument("--dictionary", required=True, help="characters, one a line")
    parser.add_argument("--rec-height", type=int, default=48, help="recogniser input height")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("pictures", nargs="+", help="files that OpenCV decodes")
    args = parser.parse_args()
    ocr = paddleocr.PaddleOCR(
        det_model_dir=args.det_model,
        rec_model_dir=args.rec_model,
        cls_model_dir=args.rec_model,  # not loaded; without a folder PaddleOCR downloads one
        rec_char_dict_path=args.dictionary,
        rec_image_shape=f"3, {args.rec_height}, 320",
        use_space_char=True,
        use_angle_cls=False,
        use_gpu=False,
        cpu_threads=os.cpu_count(),
        show_log=False,
    )
    versions = {
        "paddleocr": paddleocr.__version__,
        "paddlepaddle": paddle.__version__,
        "opencv": cv2.__version__,
        "numpy": numpy.__version__,
    }
    pictures = {path: read(ocr, path) for path in args.pictures}
    args.out.write_text(json.dumps({"versions": versions, "pictures": pictures}), "utf-8")


def read(ocr: Any, path: str) -> list[dict[str, Any]]:
    """The lines of one picture in PaddleOCR's order."""
    (lines,) = ocr.ocr(path, cls=False)
    return [
        {"text": text, "score": score, "box": box}
        for box, (text, score) in (lines or [])  # None stands for a picture without text
    ]


if __name__ == "__main__":
    main()

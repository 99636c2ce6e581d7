"""Read pictures with PaddleOCR's own pipeline.

Run by the Python of an environment that has paddleocr 2.10.0, never imported: this file needs
nothing of the project but `child` beside it, whose protocol it speaks. Everything that PaddleOCR
would otherwise choose or download is given.

    python run_paddleocr.py --det-model DIR --rec-model DIR --dictionary FILE
"""

from __future__ import annotations

import argparse
import os
import zlib
from pathlib import Path
from typing import Any

# The libraries of paddlepaddle 2.6.2 export a zlib of their own, which breaks Python's unless
# that has been used, and thereby bound, before.
zlib.decompress(zlib.compress(b""))

import child  # type: ignore[import-not-found]  # noqa: E402
import cv2  # noqa: E402
import numpy  # noqa: E402
import paddle  # noqa: E402
import paddleocr  # type: ignore[import-not-found]  # noqa: E402


def main() -> None:
    """Read pictures until there are no more."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--det-model", required=True, help="Paddle detector folder")
    parser.add_argument("--rec-model", required=True, help="Paddle recogniser folder")
    parser.add_argument("--dictionary", required=True, help="characters, one a line")
    parser.add_argument("--rec-height", type=int, default=48, help="recogniser input height")
    parser.add_argument("--mkldnn", action="store_true", help="ask for oneDNN's kernels")
    args = parser.parse_args()
    if "avx512f" not in Path("/proc/cpuinfo").read_text():
        keep_off_avx512()
    ocr = paddleocr.PaddleOCR(
        det_model_dir=args.det_model,
        rec_model_dir=args.rec_model,
        cls_model_dir=args.rec_model,  # not loaded; without a folder PaddleOCR downloads one
        rec_char_dict_path=args.dictionary,
        rec_image_shape=f"3, {args.rec_height}, 320",
        use_space_char=True,
        use_angle_cls=False,
        use_gpu=False,
        enable_mkldnn=args.mkldnn,
        cpu_threads=os.cpu_count(),
        show_log=False,
    )
    versions = {
        "paddleocr": paddleocr.__version__,
        "paddlepaddle": paddle.__version__,
        "opencv": cv2.__version__,
        "numpy": numpy.__version__,
    }
    child.serve(versions, lambda path: read(ocr, path))


def keep_off_avx512() -> None:
    """Leave out the pass of paddlepaddle 2.6.2 whose kernel was compiled for AVX-512 alone.

    `self_attention_fuse_pass` matches the PP-OCRv4 recogniser and does not ask the processor: on
    one without AVX-512 the predictor dies of SIGILL. Without the pass the same operators run one
    by one.
    """
    create: Any = paddle.inference.create_predictor

    def create_without_pass(config: Any) -> Any:
        config.delete_pass("self_attention_fuse_pass")
        return create(config)

    paddle.inference.create_predictor = create_without_pass


def read(ocr: Any, path: str) -> list[tuple[str, float, Any]]:
    """The lines of one picture in PaddleOCR's order."""
    (lines,) = ocr.ocr(path, cls=False)
    # None stands for a picture without text.
    return [(text, score, box) for box, (text, score) in (lines or [])]


if __name__ == "__main__":
    main()

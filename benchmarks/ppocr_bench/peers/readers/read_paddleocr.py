"""PaddleOCR's own pipeline, with everything given that it would otherwise choose or download."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

# The libraries of paddlepaddle 2.6.2 export a zlib of their own, which breaks Python's unless
# that has been used, and thereby bound, before.
zlib.decompress(zlib.compress(b""))

import paddle  # noqa: E402
import paddleocr  # type: ignore[import-not-found]  # noqa: E402

PACKAGES = ("paddleocr", "paddlepaddle", "opencv-python", "numpy")


def make(settings: dict[str, Any]) -> Callable[[str], list[tuple[str, float, Any]]]:
    """Settings: `det_model` and `rec_model` (folders of PP-OCRv4)."""
    if "avx512f" not in Path("/proc/cpuinfo").read_text():
        keep_off_avx512()
    ocr = paddleocr.PaddleOCR(
        det_model_dir=settings["det_model"],
        rec_model_dir=settings["rec_model"],
        cls_model_dir=settings["rec_model"],  # not loaded; without a folder PaddleOCR downloads one
        rec_char_dict_path=str(Path(settings["rec_model"], "dictionary.txt")),
        rec_image_shape="3, 48, 320",
        use_space_char=True,
        use_angle_cls=False,
        use_gpu=False,
        enable_mkldnn=False,
        cpu_threads=os.cpu_count(),
        show_log=False,
    )

    def read(path: str) -> list[tuple[str, float, Any]]:
        (lines,) = ocr.ocr(path, cls=False)
        # None stands for a picture without text.
        return [(text, score, box) for box, (text, score) in (lines or [])]

    return read


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

"""What int8 models are calibrated on: pictures, as the server would feed them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from onnx import ModelProto

from ppocr_converters.graph.onnx_model import inputs, metadata
from ppocr_converters.proof.networks import Bytes, compiled_detector
from ppocr_converters.repository import steps
from ppocr_engine.config_pbtxt import read_config

#: Pictures, and lines of them, at the most: more hardly move the scales, and take long.
PICTURES, LINES = 24, 160
#: Rendered pages beside the samples: their seeds, and the lines on each.
SEEDS, LINES_ON_PAGE = range(100, 104), 12

Feeds = dict[str, np.ndarray]


def calibration_feeds(
    model: ModelProto, detector: Path, pictures: Sequence[Path] = ()
) -> Iterator[Feeds]:
    """Inputs of a compiled detector or recogniser, made from pictures by the served step code.

    Args:
        model: the compiled model.
        detector: a compiled detector, which finds the lines that a recogniser is shown.
        pictures: the user's; rendered pages where there are none.
    """
    pages = islice(_pages(pictures), PICTURES)
    if metadata(model)["ppocr_kind"] == "det":
        return ({"DET_INPUT": _det_input(pixels)} for pixels in pages)
    return _line_feeds(inputs(model)[0].shape[1], detector, pages)


def _line_feeds(height: int | str, detector: Path, pages: Iterator[Bytes]) -> Iterator[Feeds]:
    """The lines of the pages, each padded to its own bucket."""
    find = compiled_detector(detector)
    after, lines = steps.load("det_postprocess"), steps.load("recognize")
    config = read_config(steps.source_repository() / "recognize" / "config.pbtxt").parameters
    buckets = lines.batches.parse_buckets(config["rec_buckets"].string_value)
    crops: list[Bytes] = []
    for pixels in pages:
        boxes, _ = after.db.decode_boxes(find(_det_input(pixels))[0], *pixels.shape[:2])
        crops += [lines.crop.crop_line(pixels, box) for box in boxes]
        if len(crops) >= LINES:
            break
    crops = crops[:LINES]
    for batch in lines.batches.plan_by_bucket([c.shape[:2] for c in crops], height, buckets, 1):
        rows, widths = lines.batches.fill_batch(crops, batch, height)
        yield {"CROPS": rows, "WIDTHS": widths}


def _det_input(pixels: Bytes) -> Bytes:
    resize = steps.load("det_preprocess").resize
    resized: Bytes = resize.resize_for_det(resize.pad_tiny(pixels))
    return resized[None]


def _pages(pictures: Sequence[Path]) -> Iterator[Bytes]:
    from ppocr_converters.pictures.render import render_page, samples
    from ppocr_converters.proof.run import read_files

    if pictures:
        for _, pixels in read_files(pictures):
            yield pixels
        return
    for page in (*samples(), *(render_page(seed, LINES_ON_PAGE) for seed in SEEDS)):
        yield page.image

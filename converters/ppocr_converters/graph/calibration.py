"""What int8 models are calibrated on: pictures, as the server would feed them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from onnx import ModelProto

from ppocr_converters.graph.kinds import kind_of
from ppocr_converters.proof.networks import Bytes, compiled_network
from ppocr_converters.repository.served import pipeline_of
from ppocr_engine.spec import ONNXRUNTIME
from ppocr_pipeline.detection import det_input
from ppocr_pipeline.orientation.page import read_page
from ppocr_pipeline.pipeline import Pipeline
from ppocr_pipeline.resize import pad_tiny

#: Pictures, and lines of them, at the most: more hardly move the scales, and take long.
PICTURES, LINES = 24, 160
#: Rendered pages beside the samples: their seeds, and the lines on each.
SEEDS, LINES_ON_PAGE = range(100, 104), 12

Feeds = dict[str, np.ndarray]


def calibration_feeds(
    model: ModelProto,
    detector: Path,
    parameters: Mapping[str, str],
    pictures: Sequence[Path] = (),
) -> Iterator[Feeds]:
    """Inputs of a compiled detector or recogniser, made from pictures by the served code.

    A compiled `detector` finds the lines that a recogniser is shown; without pictures of the
    user's, pages are rendered.
    """
    pages = islice(_pages(pictures), PICTURES)
    pipeline = pipeline_of(parameters, {"det": compiled_network(detector, ONNXRUNTIME)}, ())
    if kind_of(model) == "det":
        options, limits = pipeline.options, pipeline.limits
        canvases = pipeline.canvases
        return (
            {"DET_INPUT": det_input(pad_tiny(page), options, limits, canvases)[0]} for page in pages
        )
    return _line_feeds(pipeline, pages)


def _line_feeds(pipeline: Pipeline, pages: Iterator[Bytes]) -> Iterator[Feeds]:
    """The lines of the pages, batched and padded as they are served."""
    left, options = LINES, pipeline.options
    for page in pages:
        pixels = pad_tiny(page)
        boxes = pipeline.detect(pixels)[0][:left]
        left -= len(boxes)
        batches = pipeline.plan.batches(boxes, options, pipeline.limits)
        reading = read_page(pixels, boxes, batches, pipeline.plan, options, pipeline.limits, ())
        for call in next(reading):
            yield dict(call.feeds)
        if not left:
            return


def _pages(pictures: Sequence[Path]) -> Iterator[Bytes]:
    from ppocr_converters.pictures.render import render_page
    from ppocr_converters.proof.pictures import read_files, samples

    for picture in read_files(pictures) if pictures else samples():
        yield picture.pixels
    if not pictures:
        yield from (render_page(seed, LINES_ON_PAGE).image for seed in SEEDS)

"""det_postprocess: PROBABILITY, DET_TILES and IMAGE_SIZE become BOXES and BOX_SCORES, in order.

With PIXELS as well, boxes are parted at gaps that are empty in the picture.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

# The packages that `build` lays beside this file come before any that are installed.
sys.path.insert(0, str(Path(__file__).parent))

import cv2
import numpy as np

from ppocr_pipeline.detection import find_boxes
from ppocr_pipeline.limits import Limits
from ppocr_pipeline.options import default_options, parse_options
from ppocr_steps import triton_io
from ppocr_steps.refusals import expect_waiting
from ppocr_steps.step import Step


class TritonPythonModel(Step):
    """Decode the detector's map."""

    def initialize(self, args: dict[str, str]) -> None:
        """Read the limits and the default options from config.pbtxt."""
        cv2.setNumThreads(1)
        parameters = triton_io.config_parameters(args)
        self.limits = Limits.from_parameters(parameters)
        self.options = default_options(parameters)
        self.count()

    def answer(self, request: Any) -> Any:
        """One map. Without a next step in the ensemble, the picture leaves the pipeline here."""
        expect_waiting(request)
        options = parse_options(triton_io.request_parameters(request, self.limits), self.options)
        maps = triton_io.tensor(request, "PROBABILITY")
        tiles = triton_io.optional_tensor(request, "DET_TILES")
        if tiles is None:
            if len(maps) != 1:
                raise ValueError(f"PROBABILITY holds {len(maps)} maps; send DET_TILES with them")
            tiles = np.array([(0, 0, *maps.shape[1:])], np.int32)
        height, width = triton_io.tensor(request, "IMAGE_SIZE").tolist()
        pixels = triton_io.optional_tensor(request, "PIXELS")
        if pixels is not None and pixels.shape != (height, width, 3):
            raise ValueError(
                f"PIXELS has shape {list(pixels.shape)} and IMAGE_SIZE is {height}, {width} "
                "(height, width); send both of one picture"
            )
        boxes, scores = find_boxes(maps, tiles, height, width, options, self.limits, pixels)
        handed_on = self.departures.hand_on(request)
        return triton_io.response(BOXES=boxes, BOX_SCORES=scores, **handed_on)

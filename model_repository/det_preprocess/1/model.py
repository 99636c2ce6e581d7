"""det_preprocess: IMAGE or RGB becomes PIXELS, DET_INPUT, DET_TILES, IMAGE_SIZE and WARNINGS."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

# The packages that `build` lays beside this file come before any that are installed.
sys.path.insert(0, str(Path(__file__).parent))

import cv2
import numpy as np

from ppocr_pipeline.decode import bgr_of_rgb, decode_image
from ppocr_pipeline.detection import det_input, squeeze_warnings
from ppocr_pipeline.formats.alpha import GROUNDS
from ppocr_pipeline.limits import Limits
from ppocr_pipeline.options import default_options, parse_options
from ppocr_pipeline.resize import NONE, pad_tiny, parse_canvases
from ppocr_steps import triton_io
from ppocr_steps.metrics import BYTES_IN, PIXELS
from ppocr_steps.refusals import expect_waiting
from ppocr_steps.step import Step


class TritonPythonModel(Step):
    """Decode a picture and bring it to the detector's size."""

    def initialize(self, args: dict[str, str]) -> None:
        """Read the limits and the default options from config.pbtxt."""
        cv2.setNumThreads(1)  # more work at a time is more instances, not more threads
        parameters = triton_io.config_parameters(args)
        self.limits = Limits.from_parameters(parameters)
        self.options = default_options(parameters)
        self.canvases = parse_canvases(parameters.get("det_canvases", NONE))
        self.count(BYTES_IN, PIXELS)

    def answer(self, request: Any) -> Any:
        """One picture; the detector's input is made only when somebody asked for it."""
        expect_waiting(request)
        options = parse_options(triton_io.request_parameters(request, self.limits), self.options)
        decoded = self.decoded(request, options)
        self.counters.add(PIXELS, decoded.shape[0] * decoded.shape[1])
        pixels = pad_tiny(decoded)
        outputs = {
            "PIXELS": pixels,
            "DET_TILES": np.zeros((0, 4), np.int32),
            "IMAGE_SIZE": np.array(pixels.shape[:2], np.int32),
            "WARNINGS": triton_io.texts([]),
        }
        wanted = request.requested_output_names()
        if "DET_INPUT" in wanted:
            outputs["DET_INPUT"], plan = det_input(pixels, options, self.limits, self.canvases)
            outputs["DET_TILES"] = plan.tiles
            outputs["WARNINGS"] = triton_io.texts(squeeze_warnings(pixels.shape[:2], plan))
        return triton_io.response(**{name: outputs[name] for name in wanted})

    def decoded(self, request: Any, options: dict[str, Any]) -> np.ndarray:
        """The picture of a request, upright BGR pixels, from the file or the pixels sent."""
        image = triton_io.optional_tensor(request, "IMAGE")
        rgb = triton_io.optional_tensor(request, "RGB")
        if (image is None) == (rgb is None):
            raise ValueError("send either IMAGE or RGB, exactly one of them")
        if rgb is not None:
            return bgr_of_rgb(rgb, self.limits)
        assert image is not None
        if image.size != 1:
            raise ValueError(f"IMAGE holds {image.size} pictures; send one in each request")
        ground = GROUNDS[options["reference"]] if options["reference_exact"] else "contrast"
        picture = decode_image(image.item(), self.limits, ground)
        self.counters.add(BYTES_IN, len(image.item()))
        return picture

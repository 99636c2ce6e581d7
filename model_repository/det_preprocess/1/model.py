"""det_preprocess: IMAGE becomes PIXELS, DET_INPUT and IMAGE_SIZE."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

# The packages that `build` lays beside this file come before any that are installed.
sys.path.insert(0, str(Path(__file__).parent))

import cv2
import numpy as np

from ppocr_pipeline.decode import decode_image
from ppocr_pipeline.detection import det_input
from ppocr_pipeline.limits import Limits
from ppocr_pipeline.options import default_options, parse_options
from ppocr_pipeline.resize import pad_tiny
from ppocr_steps import triton_io
from ppocr_steps.departures import WayOut
from ppocr_steps.input_metrics import Input


class TritonPythonModel:
    """Decode a picture and bring it to the detector's size."""

    def initialize(self, args: dict[str, str]) -> None:
        """Read the limits and the default options from config.pbtxt."""
        cv2.setNumThreads(1)  # more work at a time is more instances, not more threads
        parameters = triton_io.config_parameters(args)
        self.limits = Limits.from_parameters(parameters)
        self.options = default_options(parameters)
        self.input = Input()
        self.way_out = WayOut()

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer every request on its own."""
        answers = triton_io.answer_each(requests, self.answer_and_count)
        self.input.tell()
        return answers

    def finalize(self) -> None:
        """Drop the metric handles: destroying them after this call crashes the stub."""
        del self.input, self.way_out

    def answer_and_count(self, request: Any) -> Any:
        """One answer, or the ValueError that it is refused with, counted."""
        if given_up := triton_io.given_up(request):
            self.way_out.leave(request)
            return given_up
        try:
            return self.answer(request)
        except ValueError as error:
            self.input.refused(error)
            self.way_out.leave(request)
            raise

    def answer(self, request: Any) -> Any:
        """One picture; the detector's input is made only when somebody asked for it."""
        options = parse_options(triton_io.request_parameters(request, self.limits), self.options)
        image = triton_io.tensor(request, "IMAGE")
        if image.size != 1:
            raise ValueError(f"IMAGE holds {image.size} pictures; send one in each request")
        decoded = decode_image(image.item(), self.limits)
        self.input.decoded(image.item(), decoded)
        pixels = pad_tiny(decoded)
        outputs = {"PIXELS": pixels, "IMAGE_SIZE": np.array(pixels.shape[:2], np.int32)}
        wanted = request.requested_output_names()
        if "DET_INPUT" in wanted:
            outputs["DET_INPUT"] = det_input(pixels, options, self.limits)
        return triton_io.response(**{name: outputs[name] for name in wanted})

"""det_postprocess: PROBABILITY and IMAGE_SIZE become BOXES and BOX_SCORES in reading order."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

# The packages that `build` lays beside this file come before any that are installed.
sys.path.insert(0, str(Path(__file__).parent))

import cv2

from ppocr_pipeline.detection import find_boxes
from ppocr_pipeline.limits import Limits
from ppocr_pipeline.options import default_options, parse_options
from ppocr_steps import triton_io
from ppocr_steps.departures import WayOut


class TritonPythonModel:
    """Decode the detector's map."""

    def initialize(self, args: dict[str, str]) -> None:
        """Read the limits and the default options from config.pbtxt."""
        cv2.setNumThreads(1)
        parameters = triton_io.config_parameters(args)
        self.limits = Limits.from_parameters(parameters)
        self.options = default_options(parameters)
        self.way_out = WayOut()

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer every request on its own."""
        answers = triton_io.answer_each(requests, self.answer)
        for request in requests:
            self.way_out.leave(request)
        return answers

    def finalize(self) -> None:
        """Drop the metric handles: destroying them after this call crashes the stub."""
        del self.way_out

    def answer(self, request: Any) -> Any:
        """One map."""
        options = parse_options(triton_io.request_parameters(request, self.limits), self.options)
        probability = triton_io.tensor(request, "PROBABILITY")
        if len(probability) != 1:
            raise ValueError(f"PROBABILITY holds {len(probability)} maps; send one in each request")
        height, width = triton_io.tensor(request, "IMAGE_SIZE").tolist()
        boxes, scores = find_boxes(probability[0], height, width, options, self.limits)
        return triton_io.response(BOXES=boxes, BOX_SCORES=scores)

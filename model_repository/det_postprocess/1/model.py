"""det_postprocess: PROBABILITY and IMAGE_SIZE become BOXES and BOX_SCORES in reading order."""

from __future__ import annotations

from typing import Any

import cv2

from . import step
from .db import decode_boxes
from .limits import Limits
from .options import default_options, parse_options
from .order import reading_order
from .way_out import WayOut


class TritonPythonModel:
    """Decode the detector's map."""

    def initialize(self, args: dict[str, str]) -> None:
        """Read the limits and the default options from config.pbtxt."""
        cv2.setNumThreads(1)
        parameters = step.config_parameters(args)
        self.limits = Limits.from_parameters(parameters)
        self.options = default_options(parameters)
        self.way_out = WayOut()

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer every request on its own."""
        answers = step.answer_each(requests, self.answer)
        for request in requests:
            self.way_out.leave(request)
        return answers

    def finalize(self) -> None:
        """Let go of the gauge: later, the process would crash on telling Triton so."""
        del self.way_out

    def answer(self, request: Any) -> Any:
        """One map."""
        options = parse_options(step.request_parameters(request, self.limits), self.options)
        probability = step.tensor(request, "PROBABILITY")
        if len(probability) != 1:
            raise ValueError(f"PROBABILITY holds {len(probability)} maps; send one in each request")
        height, width = step.tensor(request, "IMAGE_SIZE").tolist()
        boxes, scores = decode_boxes(
            probability[0],
            height,
            width,
            thresh=options["det_db_thresh"],
            box_thresh=options["det_db_box_thresh"],
            unclip_ratio=options["det_db_unclip_ratio"],
            score_mode=options["det_db_score_mode"],
            use_dilation=options["use_dilation"],
            max_candidates=self.limits.max_lines,
            reference=options["reference"],
            max_pixels=self.limits.max_det_pixels,
        )
        order = reading_order(boxes, options["reference"])
        return step.response(BOXES=boxes[order], BOX_SCORES=scores[order])

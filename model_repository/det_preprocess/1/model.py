"""det_preprocess: IMAGE becomes PIXELS, DET_INPUT and IMAGE_SIZE."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from . import step
from .image import decode_image
from .limits import Limits
from .metrics import Input
from .options import default_options, parse_options
from .resize import pad_tiny, resize_for_det
from .way_out import WayOut


class TritonPythonModel:
    """Decode a picture and bring it to the detector's size."""

    def initialize(self, args: dict[str, str]) -> None:
        """Read the limits and the default options from config.pbtxt."""
        cv2.setNumThreads(1)  # more work at a time is more instances, not more threads
        parameters = step.config_parameters(args)
        self.limits = Limits.from_parameters(parameters)
        self.options = default_options(parameters)
        self.input = Input()
        self.way_out = WayOut()

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer every request on its own."""
        answers = step.answer_each(requests, self.answer_and_count)
        self.input.tell()
        return answers

    def finalize(self) -> None:
        """Let go of the counters: later, the process would crash on telling Triton so."""
        del self.input, self.way_out

    def answer_and_count(self, request: Any) -> Any:
        """One answer, or the ValueError that it is refused with, counted."""
        if given_up := step.given_up(request):
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
        options = parse_options(step.request_parameters(request, self.limits), self.options)
        image = step.tensor(request, "IMAGE")
        if image.size != 1:
            raise ValueError(f"IMAGE holds {image.size} pictures; send one in each request")
        decoded = decode_image(image.item(), self.limits)
        self.input.decoded(image.item(), decoded)
        pixels = pad_tiny(decoded)
        outputs = {"PIXELS": pixels, "IMAGE_SIZE": np.array(pixels.shape[:2], np.int32)}
        if "DET_INPUT" in request.requested_output_names():
            resized = resize_for_det(
                pixels,
                options["det_limit_side_len"],
                options["det_limit_type"],
                options["reference"],
                self.limits.max_det_pixels,
            )
            outputs["DET_INPUT"] = resized[None]
        wanted = request.requested_output_names()
        return step.response(**{name: outputs[name] for name in wanted})

"""recognize: PIXELS and BOXES become TEXTS and SCORES, by calls of the recogniser `rec`.

A repository built with the direction classifier `cls` finds out before by how much the page is
turned.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

# The packages that `build` lays beside this file come before any that are installed.
sys.path.insert(0, str(Path(__file__).parent))

import cv2
import numpy as np

from ppocr_pipeline.batches import Batch
from ppocr_pipeline.crop import whole_picture
from ppocr_pipeline.ctc import load_dictionary
from ppocr_pipeline.limits import Limits, size_beyond
from ppocr_pipeline.options import default_options
from ppocr_pipeline.orientation.page import Page, read_page
from ppocr_pipeline.recognition import RecognitionPlan, line_warnings, sure_lines
from ppocr_steps import triton_io
from ppocr_steps.metrics import (
    CROPS,
    LINES,
    PICTURES,
    WITHOUT_TEXT,
    Stopwatch,
    count_crops,
    step_seconds,
)
from ppocr_steps.model_call import CALLS, Callers, call
from ppocr_steps.refusals import expect_waiting
from ppocr_steps.step import Step


class TritonPythonModel(Step):
    """Crop the lines of a picture, read them, and drop the unsure ones."""

    def initialize(self, args: dict[str, str]) -> None:
        """Read the dictionary and the plan's settings from the model's folder and config."""
        cv2.setNumThreads(1)
        parameters = triton_io.config_parameters(args)
        self.limits = Limits.from_parameters(parameters)
        self.options = default_options(parameters)
        self.plan = RecognitionPlan.from_parameters(parameters)
        folder = Path(args["model_repository"]) / args["model_version"]
        self.characters = load_dictionary(folder / "dictionary.txt", int(parameters["rec_classes"]))
        self.seconds = step_seconds(args["model_name"], ("crop", "read", "decode"))
        self.count(PICTURES, WITHOUT_TEXT, LINES, CROPS, self.seconds)
        self.callers = Callers(int(parameters.get("rec_calls", CALLS)))

    def finalize(self) -> None:
        """End the threads, and what every step ends."""
        self.callers.close()
        super().finalize()

    def answer(self, request: Any) -> Any:
        """One picture, which leaves the pipeline; one without boxes makes no call at all."""
        expect_waiting(request)
        sent = triton_io.request_parameters(request, self.limits)
        options = self.plan.options(self.options, sent)
        boxes = triton_io.optional_tensor(request, "BOXES")
        # What is wrong with boxes is said before a picture is decoded for them.
        batches = None if boxes is None else self.plan.batches(boxes, options, self.limits)
        pixels = self.pixels(request)
        if boxes is None or batches is None:
            boxes = whole_picture(pixels)
            batches = self.plan.batches(boxes, options, self.limits)
        box_scores = triton_io.optional_tensor(request, "BOX_SCORES")
        box_scores = np.ones(len(boxes), np.float32) if box_scores is None else box_scores
        if len(box_scores) != len(boxes):
            raise ValueError(f"BOX_SCORES has {len(box_scores)} entries for {len(boxes)} BOXES")
        page = self.read(request, pixels, boxes, batches, options)
        warned = triton_io.optional_tensor(request, "WARNINGS")
        said = line_warnings(boxes, page.batches, self.plan, options)
        warnings = triton_io.texts(said)
        sure = sure_lines(page.scores, options)
        self.counters.add(PICTURES, 1)
        self.counters.add(LINES, len(sure))
        self.counters.add(WITHOUT_TEXT, len(sure) == 0)
        response = triton_io.response(
            ANGLE=np.array([page.angle], np.int32),
            BOXES=page.boxes[sure],
            BOX_SCORES=box_scores[page.places][sure],
            SCORES=page.scores[sure],
            TEXTS=triton_io.texts(page.texts[index] for index in sure),
            WARNINGS=warnings if warned is None else np.append(warned, warnings),
            **triton_io.word_tensors([page.words[index] for index in sure]),
        )
        self.departures.leave(request)
        return response

    def pixels(self, request: Any) -> np.ndarray:
        """PIXELS as sent, or decoded from IMAGE by det_preprocess."""
        pixels = triton_io.optional_tensor(request, "PIXELS")
        image = triton_io.optional_tensor(request, "IMAGE")
        if image is not None and pixels is None:
            (pixels,) = call(request, "det_preprocess", ["PIXELS"], {"IMAGE": image})
        elif pixels is None or image is not None:
            raise ValueError("send either PIXELS or IMAGE, exactly one of them")
        if 0 in pixels.shape:
            raise ValueError(f"PIXELS is empty: shape {list(pixels.shape)}")
        if beyond := size_beyond(pixels.shape[0], pixels.shape[1], self.limits, "PIXELS"):
            raise ValueError(beyond[1])
        return pixels

    def read(
        self,
        request: Any,
        pixels: np.ndarray,
        boxes: np.ndarray,
        batches: list[Batch],
        options: dict[str, Any],
    ) -> Page:
        """The lines of a picture; batches are read while the next are being cut out."""
        clock = Stopwatch(self.counters, self.seconds)
        reading = read_page(
            pixels, boxes, batches, self.plan, options, self.limits, self.characters
        )
        try:
            calls = next(reading)
            while True:
                answers = self.callers.answers(request, clock.within("crop", calls))
                clock.ended("read")
                calls = reading.send(answers)
        except StopIteration as done:
            clock.ended("decode")
            page: Page = done.value
            count_crops(self.counters, page.batches)
            return page

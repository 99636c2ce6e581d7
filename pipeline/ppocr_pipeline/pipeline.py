"""The whole pipeline in one process: the served code around networks of any kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ppocr_pipeline.calls import Answer
from ppocr_pipeline.detection import det_input, find_boxes
from ppocr_pipeline.limits import Limits
from ppocr_pipeline.options import parse_options
from ppocr_pipeline.orientation.page import Page, read_page
from ppocr_pipeline.recognition import RecognitionPlan, sure_lines
from ppocr_pipeline.resize import Canvas, pad_tiny
from ppocr_pipeline.words.place import Word

#: Inputs by name to the outputs in the order of the graph. "det" takes DET_INPUT uint8
#: [N, H, W, 3] and answers float32 [N, H, W]; the others take CROPS uint8 [N, H, W, 3] and
#: WIDTHS int32 [N, 1] and answer int32 [N, T] and float32 [N, T], see `Call`.
Network = Callable[[Mapping[str, np.ndarray]], Sequence[np.ndarray]]


@dataclass(frozen=True)
class Line:
    """One line of a picture.

    Attributes:
        text: as it was read.
        score: of the text, the mean probability of its characters, 0 to 1.
        box: float32 [4, 2], pixels, clockwise from the top left of the text.
        box_score: 0 to 1.
        words: in the order of reading, where `return_words` asks for them.
    """

    text: str
    score: float
    box: np.ndarray
    box_score: float
    words: Sequence[Word] = ()


class Pipeline:
    """Networks with the served pipeline around them."""

    def __init__(
        self,
        networks: Mapping[str, Network],
        plan: RecognitionPlan,
        characters: Sequence[str],
        options: Mapping[str, Any] | None = None,
        limits: Limits | None = None,
        canvases: Sequence[Canvas] = (),
    ) -> None:
        """Put a pipeline together.

        Args:
            networks: "det", "rec", and "cls" and "page_orientation" where the plan has them.
            plan: of the served repository.
            characters: of class 1, 2, ... of the recogniser.
            options: those that differ from the defaults, by name.
            limits: of a picture.
            canvases: of the detector, the smallest first.

        Raises:
            ValueError: an option that is not known, or has a value that is not allowed.
        """
        self.networks, self.plan, self.characters = networks, plan, characters
        self.limits, self.canvases = limits or Limits(), canvases
        self.options = plan.options(parse_options(options or {}), {})

    def read(self, pixels: np.ndarray, options: Mapping[str, Any] | None = None) -> list[Line]:
        """Read a picture as the ensemble `ocr` does.

        Args:
            pixels: uint8 [H, W, 3], BGR, upright.
            options: of this picture alone, as a request names them.

        Returns:
            Its lines in reading order, without those whose score is below `drop_score`.

        Raises:
            ValueError: the picture is beyond the limits, or an option is not allowed.
        """
        chosen = self.plan.options(self.options, options or {})
        pixels = pad_tiny(pixels)
        boxes, box_scores = self.detect(pixels, chosen)
        page = self.recognize(pixels, boxes, chosen)
        box_scores = box_scores[page.places]
        return [
            Line(
                *(page.texts[i], float(page.scores[i]), page.boxes[i], float(box_scores[i])),
                page.words[i],
            )
            for i in sure_lines(page.scores, chosen)
        ]

    def detect(
        self, pixels: np.ndarray, options: Mapping[str, Any] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The boxes of a picture, float32 [N, 4, 2] in reading order, and scores float32 [N]."""
        chosen = self.plan.options(self.options, options or {})
        shown, plan = det_input(pixels, chosen, self.limits, self.canvases)
        (maps,) = self.networks["det"]({"DET_INPUT": shown})
        height, width = pixels.shape[:2]
        return find_boxes(maps, plan.tiles, height, width, chosen, self.limits, pixels)

    def recognize(
        self, pixels: np.ndarray, boxes: np.ndarray, options: Mapping[str, Any] | None = None
    ) -> Page:
        """The lines of a picture at these boxes; none is dropped."""
        chosen = self.plan.options(self.options, options or {})
        batches = self.plan.batches(boxes, chosen, self.limits)
        reading = read_page(pixels, boxes, batches, self.plan, chosen, self.limits, self.characters)
        try:
            calls = next(reading)
            while True:
                answers: list[Answer] = [self.networks[one.network](one.feeds) for one in calls]
                calls = reading.send(answers)
        except StopIteration as done:
            page: Page = done.value
            return page

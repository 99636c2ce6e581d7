"""The whole pipeline in one process: the served step code around any pair of networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ppocr_converters.proof.networks import Bytes, Detector, Floats, Recogniser
from ppocr_converters.repository import steps
from ppocr_engine.config_pbtxt import read_config

CLS_THRESH = 0.9  # PaddleOCR's cls_thresh


@dataclass(frozen=True)
class Line:
    """One line of a picture: its text, the mean probability of it, and where it is.

    Attributes:
        text: as it was read, unsure lines included.
        score: 0 to 1.
        box: float32 [4, 2], pixels, clockwise from top-left.
        box_score: 0 to 1.
    """

    text: str
    score: float
    box: Floats
    box_score: float


class Reader:
    """A set of networks with the steps and settings of a repository around them.

    `classifier` turns lines that are upside down; `classifier_parameters` are its entries in the
    configuration of `recognize`, as `compile.classifier_parameters` gives them.
    """

    def __init__(
        self,
        repository: Path,
        detector: Detector,
        recogniser: Recogniser,
        characters: Sequence[str],
        height: int,
        *,
        classifier: Recogniser | None = None,
        classifier_parameters: Mapping[str, str] | None = None,
    ) -> None:
        config = read_config(repository / "recognize" / "config.pbtxt").parameters
        self.batch_size = int(config["rec_batch_size"].string_value)
        self.before = steps.load("det_preprocess", repository)
        self.after = steps.load("det_postprocess", repository)
        self.lines = steps.load("recognize", repository)
        self.buckets = self.lines.batches.parse_buckets(config["rec_buckets"].string_value)
        self.detector, self.recogniser = detector, recogniser
        self.characters, self.height = characters, height
        self.classifier = classifier
        stored = {name: value.string_value for name, value in config.items()}
        self.upright = self.lines.orientation.read_classifier(
            stored | dict(classifier_parameters or {})
        )

    def read(self, pixels: Bytes, padding: str = "crop") -> list[Line]:
        """Read a picture as the ensemble does, but without dropping unsure lines.

        Args:
            pixels: uint8 [H, W, 3], BGR, upright.
            padding: "crop" or "paddle".
        """
        pixels = self.before.resize.pad_tiny(pixels)
        boxes, box_scores = self.find(pixels)
        texts, scores = self.recognise(pixels, boxes, padding)
        rows = zip(texts, scores.tolist(), boxes, box_scores.tolist(), strict=True)
        return [Line(*row) for row in rows]

    def find(self, pixels: Bytes) -> tuple[Floats, Floats]:
        """Boxes float32 [N, 4, 2] in reading order, and their scores float32 [N]."""
        probability = self.detector(self.before.resize.resize_for_det(pixels)[None])[0]
        boxes, scores = self.after.db.decode_boxes(probability, *pixels.shape[:2])
        order = self.after.order.reading_order(boxes)
        return boxes[order], scores[order]

    def turn(self, crops: list[Bytes]) -> list[Bytes]:
        """The crops, those that are upside down turned where there is a classifier."""
        if self.classifier is None or not crops:
            return crops
        step, answers = self.lines.orientation, []
        for batch in step.plan_classifier(len(crops), self.upright):
            fed = step.fill_classifier(crops, batch, self.upright)
            everything = np.full((len(batch.indices), 1), batch.width, np.int32)
            answers.append(self.classifier(fed["CROPS"], fed.get("WIDTHS", everything)))
        classes, probabilities = (np.concatenate(parts) for parts in zip(*answers, strict=True))
        turned: list[Bytes] = step.turn_upright(crops, classes, probabilities, CLS_THRESH)
        return turned

    def recognise(self, pixels: Bytes, boxes: Floats, padding: str) -> tuple[list[str], Floats]:
        """The text and score of every box."""
        crops = self.turn([self.lines.crop.crop_line(pixels, box) for box in boxes])
        sizes = [crop.shape[:2] for crop in crops]
        batches = self.lines.batches
        plan = (
            batches.plan_by_bucket(sizes, self.height, self.buckets, self.batch_size)
            if padding == "crop"
            else batches.plan_like_paddle(sizes, self.height)
        )
        texts, scores = [""] * len(boxes), np.zeros(len(boxes), np.float32)
        for batch in plan:
            answer = self.recogniser(*batches.fill_batch(crops, batch, self.height))
            read, sure = self.lines.ctc.ctc_decode(*answer, self.characters)
            for index, text, score in zip(batch.indices, read, sure, strict=True):
                texts[index], scores[index] = text, score
        return texts, scores

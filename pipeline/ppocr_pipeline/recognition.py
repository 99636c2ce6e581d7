"""Lines are read: crops are grouped, sent to the networks, and their answers decoded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ppocr_pipeline.batches import (
    DISTORTED,
    Batch,
    check_columns,
    fill_batch,
    natural_width,
    parse_buckets,
    plan_by_bucket,
    plan_like_paddle,
    plan_like_paddle_serving,
    plan_like_pdserving,
)
from ppocr_pipeline.calls import Answer, Call, Calls
from ppocr_pipeline.crop import box_sizes, check_boxes, check_crops, crop_size, with_margin
from ppocr_pipeline.ctc import ctc_decode
from ppocr_pipeline.limits import Limits
from ppocr_pipeline.long_lines import cut_parts, join_parts, part_starts
from ppocr_pipeline.options import parse_options
from ppocr_pipeline.orientation.angle import quarter_turns
from ppocr_pipeline.orientation.classifier import Classifier, read_classifier
from ppocr_pipeline.words.place import Word, column_contrast, crop_words, spell_words
from ppocr_pipeline.words.plain import plain_forms
from ppocr_pipeline.words.spaces import put_spaces

NO_CLASSIFIER = (
    "{} needs a direction classifier, and this repository was built without one; build it with "
    "`ppocr-convert build --cls NAME`, or leave the option out"
)
NO_PAGE_NETWORK = (
    "orientation=page needs a page orientation network, and this repository was built without one; "
    "build it with `ppocr-convert build --page-orientation NAME`, or send orientation=lines"
)


@dataclass(frozen=True)
class RecognitionPlan:
    """How lines are read: everything that decides the shapes which the networks are fed.

    Attributes:
        height: of the recogniser's input, pixels.
        buckets: widths that crops are padded to, pixels, increasing.
        batch_size: crops in one call of the recogniser, at the most.
        classifier: of crops that are upside down, None without one.
        page_orientation_size: of the input of the page orientation network, pixels; None without.
        batch_columns: of a call of several crops, pixels, at the most.
    """

    height: int
    buckets: tuple[int, ...]
    batch_size: int
    classifier: Classifier | None = None
    page_orientation_size: int | None = None
    batch_columns: int = Limits.max_rec_columns

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, str]) -> RecognitionPlan:
        """The plan in the `parameters` of the step `recognize`, as its config.pbtxt has them.

        Raises:
            ValueError: a value is not what `ppocr-convert build` writes.
            KeyError: one is missing.
        """
        size = parameters.get("page_orientation_size")
        return cls(
            height=int(parameters["rec_height"]),
            buckets=tuple(parse_buckets(parameters["rec_buckets"])),
            batch_size=int(parameters["rec_batch_size"]),
            classifier=read_classifier(parameters),
            page_orientation_size=None if size is None else int(size),
            batch_columns=int(parameters.get("rec_batch_columns", cls.batch_columns)),
        )

    def options(self, base: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
        """All options of one request.

        Args:
            base: the defaults, of which those that need a classifier count where there is one.
            values: as the request names them.

        Raises:
            ValueError: see `parse_options`; or one that needs a classifier where there is none.
        """
        if self.classifier is None:
            base = {**base, "use_angle_cls": False, "orientation": "off"}
        options = parse_options(values, base)
        if self.classifier is None:
            if options["use_angle_cls"]:
                raise ValueError(NO_CLASSIFIER.format("use_angle_cls=true"))
            if options["orientation"] == "lines":
                raise ValueError(NO_CLASSIFIER.format("orientation=lines"))
        if options["orientation"] == "page" and self.page_orientation_size is None:
            raise ValueError(NO_PAGE_NETWORK)
        return options

    def batches(
        self, boxes: np.ndarray, options: Mapping[str, Any], limits: Limits, angle: int = 0
    ) -> list[Batch]:
        """The batches in which boxes are read, known and held to the limits before any work.

        Args:
            boxes: float32 [N, 4, 2], pixels, clockwise from top-left.
            options: all of them, see `parse_options`.
            limits: of a request.
            angle: of the page.

        Raises:
            ValueError: boxes that cannot be read, or that would cost too much.
        """
        check_boxes(boxes, limits)
        check_crops(box_sizes(boxes, options["reference"]), limits)
        sizes = box_sizes(with_margin(boxes, options), options["reference"])
        batches = self.group(_crop_sizes(sizes, angle), options, limits.max_rec_width)
        check_columns(batches, limits)
        return batches

    def group(
        self, sizes: Sequence[tuple[int, int]], options: Mapping[str, Any], max_width: int
    ) -> list[Batch]:
        """The batches in which crops of these heights and widths are read."""
        if options["rec_padding"] == "crop":
            rows, columns = self.batch_size, self.batch_columns
            return plan_by_bucket(sizes, self.height, self.buckets, rows, max_width, columns)
        if options["reference"] == "paddleocr":
            return plan_like_paddle(sizes, self.height, max_width)
        if options["reference"] == "paddleocr_pdserving":
            return plan_like_pdserving(sizes, self.height, max_width)
        return plan_like_paddle_serving(sizes, self.height, self.batch_size, max_width)


@dataclass(frozen=True)
class Lines:
    """What was read in crops, in their order.

    Attributes:
        texts: of each.
        scores: float32 [N], of each text.
        words: of each, their boxes in shares of the crop (see `lay_words`); none unless wanted.
        spaced: of each, its text with the spaces and brackets that are seen, see `put_spaces`.
    """

    texts: list[str]
    scores: np.ndarray
    words: list[list[Word]]
    spaced: list[str]

    def put(self, index: int, others: Lines, place: int) -> None:
        """Put a line of others in the place of one of these."""
        self.texts[index], self.spaced[index] = others.texts[place], others.spaced[place]
        self.words[index], self.scores[index] = others.words[place], others.scores[place]

    def spell(self, across: np.ndarray) -> None:
        """Give lines that run across what is seen between their characters, if most run so.

        In vertical text each digit has the room of a Chinese character. Vertical lines are given
        plain letters and digits.

        Args:
            across: bool [N].
        """
        mostly = 2 * across.sum() > len(across)
        for index, text in enumerate(self.texts):
            if not across[index]:
                self.texts[index] = plain_forms(text)
            elif mostly:
                self.texts[index] = self.spaced[index]
            self.words[index] = spell_words(self.words[index], self.texts[index])

    def trim(self) -> None:
        """Take the spaces around each text away: they are the white beside an icon or a dot."""
        for index, text in enumerate(self.texts):
            self.texts[index] = text.strip()
            if not self.texts[index]:
                self.scores[index] = 0


def line_warnings(
    boxes: np.ndarray,
    batches: Sequence[Batch],
    plan: RecognitionPlan,
    options: Mapping[str, Any],
) -> list[str]:
    """What is likely to be read wrongly because of the widths at which lines are read.

    Args:
        boxes: float32 [N, 4, 2].
        batches: of these boxes, see `RecognitionPlan.batches`.
        plan: that made the batches.
        options: all of them, see `parse_options`.
    """
    cut_out = with_margin(boxes, options)
    sizes = [crop_size(size) for size in box_sizes(cut_out, options["reference"])]
    factors = [
        natural_width(sizes[index], plan.height) / batch.width
        for batch in batches
        for index in batch.indices
    ]
    squeezed = [factor for factor in factors if factor > DISTORTED]
    if not squeezed:
        return []
    return [
        f"{len(squeezed)} of {len(factors)} lines are too wide for the recogniser and squeezed "
        f"up to {max(squeezed):.1f} times (said from {DISTORTED} on); characters may be "
        "missing: send the picture in parts"
    ]


def _crop_sizes(sizes: Sequence[tuple[int, int]], angle: int) -> list[tuple[int, int]]:
    """Height and width of the crop of each box on a page of an angle."""
    turns = quarter_turns(sizes, angle).tolist()
    crops = [crop_size(size) for size in sizes]
    return [size[::-1] if turn % 2 else size for size, turn in zip(crops, turns, strict=True)]


def read_crops(
    crop: Callable[[int], np.ndarray],
    count: int,
    batches: Sequence[Batch],
    plan: RecognitionPlan,
    characters: Sequence[str],
    *,
    words: bool = False,
    spaces: bool = False,
) -> Calls[Lines]:
    """Read crops.

    The calls are yielded lazily: the next crops are cut out after a call has been taken.

    Args:
        crop: cuts out the crop of an index, uint8 [h, w, 3].
        count: of all crops; those in no batch have no text.
        batches: of the crops that are read.
        plan: that made the batches.
        characters: of class 1, 2, ... of the recogniser.
        words: whether words are wanted.
        spaces: whether texts with the spaces and brackets that are seen are wanted, too.

    Raises:
        ValueError: the network answered with a class that has no character.
    """
    contrasts: list[list[np.ndarray]] = []
    columns: dict[int, tuple[np.ndarray, int]] = {}

    def fill(batch: Batch) -> list[Call]:
        crops = {index: crop(index) for index in batch.indices}
        rows, widths = fill_batch(crops, batch, plan.height)
        for index, one in crops.items():
            if spaces:
                columns[index] = column_contrast(one), len(one)
        own = widths[:, 0].tolist() if words else []
        contrasts.append(
            [column_contrast(row[:, :width]) for row, width in zip(rows, own, strict=False)]
        )
        feeds = {"CROPS": rows, "WIDTHS": widths}
        return [Call("rec", one) for one in cut_parts(feeds, batch.part)]

    answers = iter((yield (call for batch in batches for call in fill(batch))))
    scores = np.zeros(count, np.float32)
    lines = Lines([""] * count, scores, [[] for _ in range(count)], [""] * count)
    # Lines of as many time steps are decoded together.
    alike: dict[int, list[tuple[Batch, Answer]]] = defaultdict(list)
    for batch, shown in zip(batches, contrasts, strict=True):
        parts = [next(answers) for _ in part_starts(batch.width, batch.part)]
        indices, probabilities = joined = join_parts(parts, batch.width, batch.part)
        alike[indices.shape[1]].append((batch, joined))
        for row, contrast in enumerate(shown):
            lines.words[batch.indices[row]] = crop_words(
                indices[row], probabilities[row], characters, batch.width, contrast
            )
    for group in alike.values():
        indices, probabilities = (np.concatenate([one[n] for _, one in group]) for n in (0, 1))
        texts, scores = ctc_decode(indices, probabilities, characters)
        placed = [(index, batch.width) for batch, _ in group for index in batch.indices]
        for row, (place, width) in enumerate(placed):
            lines.texts[place], lines.scores[place] = texts[row], scores[row]
            if spaces:
                step = width / (indices.shape[1] * plan.height)
                lines.spaced[place] = put_spaces(
                    texts[row], indices[row], characters, step, *columns[place]
                )
    return lines


def sure_lines(scores: np.ndarray, options: Mapping[str, Any]) -> np.ndarray:
    """The lines that are answered: int64 indices of the scores that reach `drop_score`."""
    return np.flatnonzero(scores >= options["drop_score"])

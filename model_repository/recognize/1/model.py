"""recognize: PIXELS and BOXES become TEXTS and SCORES, by calls of the recogniser `rec`.

A repository built with the direction classifier `cls` turns lines that are upside down before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import triton_python_backend_utils as pb_utils

from . import step
from .batches import (
    Batch,
    check_columns,
    fill_batch,
    parse_buckets,
    plan_by_bucket,
    plan_like_paddle,
    plan_like_paddle_serving,
)
from .crop import box_sizes, check_boxes, check_crops, crop_line, crop_size, whole_picture
from .ctc import ctc_decode, load_dictionary
from .limits import Limits, size_beyond
from .metrics import Phases, Reading
from .options import default_options, parse_options
from .orientation import Classifier, fill_classifier, plan_classifier, read_classifier, turn_upright
from .way_out import WayOut

Ask = Callable[..., Any]  # `call` on behalf of a request

OUTPUTS = ["INDICES", "PROBABILITIES"]  # of `rec` and of `cls`
NO_CLASSIFIER = (
    "use_angle_cls is true, but this repository was built without a direction classifier; "
    "build it with `ppocr-convert build --cls NAME`, or leave the option out"
)


class TritonPythonModel:
    """Crop the lines of a picture, read them, and drop the unsure ones."""

    def initialize(self, args: dict[str, str]) -> None:
        """Read the dictionary and the plan's settings from the model's folder and config."""
        cv2.setNumThreads(1)
        parameters = step.config_parameters(args)
        self.limits = Limits.from_parameters(parameters)
        self.classifier = read_classifier(parameters)
        self.options = default_options(parameters)
        if self.classifier is None:
            self.options["use_angle_cls"] = False  # what a request may not ask for
        self.height = int(parameters["rec_height"])
        self.buckets = parse_buckets(parameters["rec_buckets"])
        self.batch_size = int(parameters["rec_batch_size"])
        self.phases = Phases(args["model_name"], ("crop", "read", "decode"))
        self.reading = Reading()
        self.way_out = WayOut()
        folder = Path(args["model_repository"]) / args["model_version"]
        self.characters = load_dictionary(folder / "dictionary.txt", int(parameters["rec_classes"]))

    async def execute(self, requests: list[Any]) -> list[Any]:
        """Answer every request on its own."""
        answers = [await self.answer_or_refuse(request) for request in requests]
        self.phases.tell()
        self.reading.tell()
        return answers

    def finalize(self) -> None:
        """Let go of the counters: later, the process would crash on telling Triton so."""
        del self.phases, self.reading, self.way_out

    async def answer_or_refuse(self, request: Any) -> Any:
        """One answer; a ValueError is INVALID_ARGUMENT, a failed call keeps its own code."""
        try:
            return step.given_up(request) or await self.answer(request)
        except ValueError as error:
            return step.refusal(request, str(error))
        except CallError as error:
            return step.refusal(request, str(error), error.code)
        finally:
            self.way_out.leave(request)

    async def answer(self, request: Any) -> Any:
        """One picture; a picture without boxes makes no call at all."""
        options = parse_options(step.request_parameters(request, self.limits), self.options)
        if options["use_angle_cls"] and self.classifier is None:
            raise ValueError(NO_CLASSIFIER)
        ask = partial(call, request)
        boxes = step.optional_tensor(request, "BOXES")
        batches = None if boxes is None else self.plan(boxes, options)
        pixels = await self.pixels(request, ask)
        if boxes is None or batches is None:
            boxes = whole_picture(pixels)
            batches = self.plan(boxes, options)
        box_scores = step.optional_tensor(request, "BOX_SCORES")
        box_scores = np.ones(len(boxes), np.float32) if box_scores is None else box_scores
        if len(box_scores) != len(boxes):
            raise ValueError(f"BOX_SCORES has {len(box_scores)} entries for {len(boxes)} BOXES")
        texts, scores = await self.read(ask, pixels, boxes, batches, options)
        sure = np.flatnonzero(scores >= options["drop_score"])
        self.reading.answered(len(sure))
        return step.response(
            BOXES=boxes[sure],
            BOX_SCORES=box_scores[sure],
            SCORES=scores[sure],
            TEXTS=np.array([texts[index].encode() for index in sure], np.object_),
        )

    async def pixels(self, request: Any, ask: Ask) -> np.ndarray:
        """PIXELS as sent, or decoded from IMAGE by det_preprocess."""
        pixels = step.optional_tensor(request, "PIXELS")
        image = step.optional_tensor(request, "IMAGE")
        if image is not None and pixels is None:
            (pixels,) = await ask("det_preprocess", ["PIXELS"], IMAGE=image)
        elif pixels is None or image is not None:
            raise ValueError("send either PIXELS or IMAGE, exactly one of them")
        if 0 in pixels.shape:
            raise ValueError(f"PIXELS is empty: shape {list(pixels.shape)}")
        if beyond := size_beyond(pixels.shape[0], pixels.shape[1], self.limits, "PIXELS"):
            raise ValueError(beyond[1])
        return pixels

    async def read(
        self,
        ask: Ask,
        pixels: np.ndarray,
        boxes: np.ndarray,
        batches: list[Batch],
        options: dict[str, Any],
    ) -> tuple[list[str], np.ndarray]:
        """The text and score of every box; batches are read at the same time."""
        ended = self.phases.begin()

        def cut_out(index: int) -> np.ndarray:
            return crop_line(pixels, boxes[index], options["reference"])

        crop: Callable[[int], np.ndarray] = cut_out
        if options["use_angle_cls"] and self.classifier is not None and len(boxes):
            crops = [cut_out(index) for index in range(len(boxes))]
            ended("crop")
            crop = (await upright(ask, self.classifier, crops, options["cls_thresh"])).__getitem__
            ended("read")
        self.reading.cropped(batches)
        texts, scores = [""] * len(boxes), np.zeros(len(boxes), np.float32)
        calls = [self.start(ask, crop, batch) for batch in batches]
        ended("crop")
        answers = await asyncio.gather(*calls)
        ended("read")
        for batch, (indices, probabilities) in zip(batches, answers, strict=True):
            read, sure = ctc_decode(indices, probabilities, self.characters)
            scores[list(batch.indices)] = sure
            for index, text in zip(batch.indices, read, strict=True):
                texts[index] = text
        ended("decode")
        return texts, scores

    def plan(self, boxes: np.ndarray, options: dict[str, Any]) -> list[Batch]:
        """The batches in which boxes are read, known and held to the limits before the work.

        Raises:
            ValueError: boxes that cannot be read, or that would cost too much.
        """
        check_boxes(boxes, self.limits)
        sizes = box_sizes(boxes, options["reference"])
        check_crops(sizes, self.limits)
        batches = self.group([crop_size(size) for size in sizes], options)
        check_columns(batches, self.limits)
        return batches

    def group(self, sizes: list[tuple[int, int]], options: dict[str, Any]) -> list[Batch]:
        """The batches that the options ask for, of crops of given sizes."""
        width = self.limits.max_rec_width
        if options["rec_padding"] == "crop":
            return plan_by_bucket(sizes, self.height, self.buckets, self.batch_size)
        if options["reference"] == "paddleocr":
            return plan_like_paddle(sizes, self.height, width)
        return plan_like_paddle_serving(sizes, self.height, self.batch_size, width)

    def start(self, ask: Ask, crop: Callable[[int], np.ndarray], batch: Batch) -> Any:
        """Cut out and send one batch; it is read while the next one is being cut out."""
        crops = {index: crop(index) for index in batch.indices}
        rows, widths = fill_batch(crops, batch, self.height)
        return ask("rec", OUTPUTS, CROPS=rows, WIDTHS=widths)


async def upright(
    ask: Ask, classifier: Classifier, crops: list[np.ndarray], thresh: float
) -> list[np.ndarray]:
    """The crops with those turned that the classifier is sure are upside down."""
    calls = [
        ask("cls", OUTPUTS, **fill_classifier(crops, batch, classifier))
        for batch in plan_classifier(len(crops), classifier)
    ]
    answers = await asyncio.gather(*calls)
    classes, probabilities = (np.concatenate(parts) for parts in zip(*answers, strict=True))
    return turn_upright(crops, classes, probabilities, thresh)


class CallError(Exception):
    """Another model of the repository could not answer."""

    def __init__(self, model: str, error: Any) -> None:
        super().__init__(f"{model}: {error.message()}")
        self.code = error.code()


def call(caller: Any, model: str, outputs: list[str], **inputs: np.ndarray) -> Any:
    """Send a request to another model now; awaiting the result gives its arrays.

    It goes under the id of the request it is made for, and into the same trace.

    Raises:
        CallError: when awaited, with that model's own reason and code.
    """
    request = pb_utils.InferenceRequest(
        model_name=model,
        requested_output_names=outputs,
        inputs=[pb_utils.Tensor(name, array) for name, array in inputs.items()],
        request_id=caller.request_id(),
        trace=caller.trace(),
    )
    sent = request.async_exec()

    async def arrays() -> list[np.ndarray]:
        answer = await sent
        if answer.has_error():
            raise CallError(model, answer.error())
        return [pb_utils.get_output_tensor_by_name(answer, name).as_numpy() for name in outputs]

    return arrays()

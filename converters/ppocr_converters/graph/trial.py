"""A trial run: does a network run at more than one size, and are its answers probabilities?"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto

from ppocr_converters.catalogue.entries import Kind
from ppocr_converters.errors import ModelError
from ppocr_converters.graph.kinds import CLASSIFIERS, FREE_CLASSIFIERS
from ppocr_converters.graph.onnx_model import Tensor, inputs
from ppocr_engine.errors import EngineError
from ppocr_engine.machine import available_cores
from ppocr_engine.spec import GRAPH_AS_WRITTEN, EngineSpec

#: Heights of recognisers that do not say theirs, for a trial.
HEIGHTS = (48, 32)
#: How far rounding, in float16 too, takes an answer from probabilities.
ROUNDING = 0.02


def answers_to_noise(model: ModelProto, kind: Kind, height: int | None) -> list[np.ndarray]:
    """The answers to noise of two sizes, [2, ...] and [1, ...].

    Raises:
        ModelError: it does not run, or not at both sizes.
    """
    given = inputs(model)[0]
    with tempfile.TemporaryDirectory(prefix="ppocr-") as scratch:
        path = Path(scratch, "model.onnx")
        onnx.save(model, path)
        try:
            spec = EngineSpec(threads=available_cores(), graph_level=GRAPH_AS_WRITTEN)
            session = spec.open(path)
        except EngineError as error:
            raise ModelError(str(error).replace(f" {path}", " it")) from error
    reasons = []
    for shapes in _trial_shapes(given, kind, height):
        rng = np.random.default_rng(0)
        try:
            answers = [
                session({given.name: rng.uniform(-1, 1, shape).astype(np.float32)})[0]
                for shape in shapes
            ]
        except session.errors as error:
            reasons.append(str(error).strip().splitlines()[0])
            continue
        if reason := _misfit(kind, shapes, answers):
            reasons.append(reason)
        else:
            return answers
    raise ModelError(
        f"its graph cannot be run at other sizes than it was exported for ({reasons[0]}); export "
        f"it with dynamic batch, {'height and ' if kind == 'det' else ''}width"
    )


Shape = tuple[int, int, int, int]


def _trial_shapes(given: Tensor, kind: Kind, height: int | None) -> Iterator[tuple[Shape, Shape]]:
    """Pairs of inputs to try, the likeliest first."""
    rows = given.shape[2] if isinstance(given.shape[2], int) else height
    if kind == "det":
        yield (2, 3, 64, 96), (1, 3, 96, 160)
        return
    if kind == "rec":
        for row in HEIGHTS if rows is None else (rows,):
            yield (2, 3, row, 160), (1, 3, row, 320)
        return
    assert rows is not None
    of_pages = FREE_CLASSIFIERS["page_orientation"]
    widths = {
        height: width
        for height, (width, _) in CLASSIFIERS.items()
        if (height == of_pages) == (kind == "page_orientation")
    }
    width = widths.get(rows, 0)
    if given.shape[3] not in (width, str(given.shape[3])) or not width:
        known = " or ".join(f"{h}x{w}" for h, w in widths.items())
        raise ModelError(
            f"a classifier {rows} pixels high is not known that takes {given}; those "
            f"of PaddleOCR take {known} (height x width)"
        )
    yield (2, 3, rows, width), (1, 3, rows, width)


def _misfit(kind: Kind, shapes: Sequence[Shape], answers: Sequence[np.ndarray]) -> str:
    """Why answers do not belong to their inputs, "" if they do."""
    for shape, answer in zip(shapes, answers, strict=True):
        fits = answer.ndim == {"det": 4, "rec": 3}.get(kind, 2) and len(answer) == shape[0]
        if kind == "det":
            fits = fits and answer.shape[1:] == (1, *shape[2:])
        if not fits:
            return f"{list(shape)} is answered by {list(answer.shape)}"
        if not np.isfinite(answer).all():
            return f"{list(shape)} is answered by numbers that are not finite"
    if kind == "rec" and answers[0].shape[1] >= answers[1].shape[1]:
        return f"lines of two widths are both answered by {answers[0].shape[1]} steps"
    return ""


def are_probabilities(kind: Kind, answers: Sequence[np.ndarray]) -> bool:
    """Whether answers lie between 0 and 1, and sum to 1 where they are of classes."""
    for answer in answers:
        if answer.min() < -ROUNDING or answer.max() > 1 + ROUNDING:
            return False
        if kind != "det" and np.abs(answer.sum(axis=-1) - 1).max() > ROUNDING:
            return False
    return True

"""The proof that a compiled model answers as the model it was made from.

Tensors: the same random pictures go through both, in several shapes and batch sizes; the largest
difference of any probability is bounded, and the best classes must be the same wherever the best
one leads by more than that bound. The pictures carry words: on mere noise a detector answers 0
everywhere, whatever is wrong with it.

Reading: the same pictures are read by the served step code around both pairs of networks; every
box and every text must be equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import numpy as np

from ppocr_converters.catalogue import Kind, Normalisation, catalogue
from ppocr_converters.errors import ModelError, ProofError
from ppocr_converters.networks import (
    Bytes,
    Detector,
    Network,
    Recogniser,
    compiled_detector,
    compiled_recogniser,
    mask,
    normalise,
    source_network,
)
from ppocr_converters.onnx_model import is_compiled, kind_of, load_onnx, metadata
from ppocr_converters.profiles import available_cores
from ppocr_converters.reading import Line, Reader

#: The largest difference of a probability. Measured on PP-OCRv4 mobile: det 4e-5, rec 3e-5 against
#: Paddle; det 3e-5, rec 5e-6 against the converted network.
TENSOR_TOLERANCE = 5e-4
#: The largest difference of a line's score, a mean of probabilities.
SCORE_TOLERANCE = 1e-3
SEED = 20

PADDINGS = ("crop", "paddle")

#: Batch, height, width: one picture, several, the smallest, long and tall ones.
DET_SHAPES = ((1, 32, 32), (1, 320, 416), (3, 96, 160), (2, 64, 640), (1, 480, 96))
#: Batch, width.
REC_SHAPES = ((1, 160), (1, 8), (6, 320), (3, 96), (2, 1280))


@dataclass(frozen=True)
class TensorProof:
    """What was compared, and the largest difference of a probability.

    Attributes:
        shapes: of the random inputs, [N, H, W, 3].
        values: how many probabilities were compared.
        max_difference: the largest absolute difference of one.
        max_probability: the largest one seen; a proof on which nothing is found proves little.
        other_classes: how many best classes differ (only where both are equally likely).
        tolerance: the bound.
    """

    shapes: list[list[int]]
    values: int
    max_difference: float
    max_probability: float
    other_classes: int
    tolerance: float


@dataclass(frozen=True)
class ReadingProof:
    """What was read, and the largest differences.

    Attributes:
        pictures: how many.
        lines: in all pictures.
        characters: in all lines.
        max_score_difference: of a line's score.
        max_box_score_difference: of a box's score.
        tolerance: the bound of both.
    """

    pictures: int
    lines: int
    characters: int
    max_score_difference: float
    max_box_score_difference: float
    tolerance: float


def prove_tensors(
    kind: Kind,
    compiled: Path,
    network: Network,
    norm: Normalisation,
    *,
    threads: int,
    height: int | None = None,
    tolerance: float = TENSOR_TOLERANCE,
) -> TensorProof:
    """Compare a compiled model with the network it was made from on random pictures.

    Args:
        kind: of the model.
        compiled: the compiled file.
        network: what it was made from.
        norm: mean and std that the network expects.
        threads: for the compiled model.
        height: of the input of a recogniser or classifier, pixels.
        tolerance: the bound of a probability's difference.

    Raises:
        ProofError: a difference is larger than the bound, or a class is another one.
    """
    rng = np.random.default_rng(SEED)
    if kind == "det":
        shapes = [(n, h, w, 3) for n, h, w in DET_SHAPES]
        compare = _compare_maps(compiled_detector(compiled, threads=threads), network, norm)
    else:
        shapes = [(n, height or 0, w, 3) for n, w in REC_SHAPES]
        recogniser = compiled_recogniser(compiled, threads=threads)
        compare = _compare_classes(recogniser, network, norm, rng, tolerance)
    results, problems = [], []
    for shape in shapes:
        result = compare(random_pictures(rng, shape))
        results.append(result)
        if not result.difference <= tolerance:  # a NaN is no proof either
            difference = f"{result.difference:.2g}"
            problems.append(f"input {list(shape)}: probabilities differ by up to {difference}")
        if result.wrong:
            problems.append(
                f"input {list(shape)}: {result.wrong} of {result.values} best classes differ"
            )
    if problems:
        raise ProofError(f"{compiled} (bound {tolerance:g})", problems)
    return TensorProof(
        shapes=[list(shape) for shape in shapes],
        values=sum(result.values for result in results),
        max_difference=max(result.difference for result in results),
        max_probability=max(result.probability for result in results),
        other_classes=sum(result.differing for result in results),
        tolerance=tolerance,
    )


def random_pictures(rng: np.random.Generator, shape: tuple[int, ...]) -> Bytes:
    """Random pictures that networks react to: words in many sizes on uneven, noisy ground.

    Args:
        rng: decides everything.
        shape: N, H, W, 3.

    Returns:
        uint8 [N, H, W, 3].
    """
    import cv2

    _, height, width, _ = shape
    pictures = np.empty(shape, np.uint8)
    for picture in pictures:
        ground = rng.integers(0, 256, (2, 2, 3), dtype=np.uint8)
        canvas = cv2.resize(ground, (width, height), interpolation=cv2.INTER_LINEAR)
        for _ in range(1 + height * width // 20_000):
            word = "".join(chr(code) for code in rng.integers(33, 127, rng.integers(3, 12)))
            place = int(rng.integers(-10, width)), int(rng.integers(height // 2, height + 1))
            size, ink = float(rng.uniform(0.5, 1.5)), rng.integers(0, 256, 3).tolist()
            cv2.putText(canvas, word, place, cv2.FONT_HERSHEY_SIMPLEX, size, ink, 2, cv2.LINE_AA)
        noise = rng.integers(-12, 13, canvas.shape)
        picture[:] = np.clip(canvas + noise, 0, 255)
    return pictures


def prove_file(compiled: Path, source: Path, *, tolerance: float = TENSOR_TOLERANCE) -> TensorProof:
    """Prove a compiled file against the Paddle folder or the ONNX file that it was made from.

    Raises:
        ModelError: one of them cannot be loaded, or the first is not compiled.
        ProofError: see `prove_tensors`.
    """
    model = load_onnx(compiled)
    if not is_compiled(model):
        raise ModelError(f"{compiled} is not compiled; run `ppocr-convert compile` on it first")
    kind = kind_of(model)
    threads = available_cores()
    return prove_tensors(
        kind,
        compiled,
        source_network(source, threads=threads),
        catalogue().kinds[kind],
        threads=threads,
        height=None if kind == "det" else int(metadata(model)["ppocr_height"]),
        tolerance=tolerance,
    )


@dataclass(frozen=True)
class Compared:
    """Two answers to one input.

    Attributes:
        values: probabilities in each.
        difference: the largest of any two.
        probability: the largest one expected.
        differing: best classes that are other ones.
        wrong: those of them that are less likely by more than the bound.
    """

    values: int
    difference: float
    probability: float
    differing: int = 0
    wrong: int = 0


Comparison = Callable[[Bytes], Compared]


def _compare_maps(detector: Detector, network: Network, norm: Normalisation) -> Comparison:
    def compare(pixels: Bytes) -> Compared:
        expected = network(normalise(pixels, norm))[:, 0]
        found = detector(pixels)
        return Compared(expected.size, float(np.abs(found - expected).max()), float(expected.max()))

    return compare


def _compare_classes(
    recogniser: Recogniser,
    network: Network,
    norm: Normalisation,
    rng: np.random.Generator,
    tolerance: float,
) -> Comparison:
    def compare(crops: Bytes) -> Compared:
        widths = rng.integers(1, crops.shape[2] + 1, (len(crops), 1)).astype(np.int32)
        widths[0] = crops.shape[2]
        expected = network(mask(normalise(crops, norm), widths))
        indices, probabilities = recogniser(crops, widths)
        best = expected.max(axis=-1)
        chosen = np.take_along_axis(expected, indices[..., None].astype(np.int64), -1)[..., 0]
        return Compared(
            values=best.size,
            difference=float(np.abs(probabilities - best).max()),
            probability=float(best.max()),
            differing=int(np.count_nonzero(indices != expected.argmax(axis=-1))),
            wrong=int(np.count_nonzero(best - chosen > tolerance)),
        )

    return compare


def prove_reading(
    source: Reader,
    compiled: Reader,
    pictures: Iterable[tuple[str, Bytes]],
    *,
    tolerance: float = SCORE_TOLERANCE,
) -> ReadingProof:
    """Read pictures with both pairs of networks and demand equal boxes and texts.

    The ways of padding lines take turns: the networks are the same, the shapes are not.

    Args:
        source: around the networks that the models were made from.
        compiled: around the compiled models.
        pictures: name and pixels (uint8 [H, W, 3], BGR) of each.
        tolerance: the bound of a score's difference.

    Raises:
        ProofError: a box or a text is another one, or a score differs by more than the bound.
    """
    problems: list[str] = []
    scores, box_scores = [0.0], [0.0]
    read, lines, characters = 0, 0, 0
    for (name, pixels), padding in zip(pictures, cycle(PADDINGS), strict=False):
        expected, found = source.read(pixels, padding), compiled.read(pixels, padding)
        problems += [f"{name}, {padding}: {one}" for one in line_differences(expected, found)]
        for a, b in zip(expected, found, strict=False):
            scores.append(abs(a.score - b.score))
            box_scores.append(abs(a.box_score - b.box_score))
        read += 1
        lines += len(expected)
        characters += sum(len(line.text) for line in expected)
    if max(scores + box_scores) > tolerance:
        problems.append(f"scores differ by up to {max(scores + box_scores):.2g} ({tolerance:g})")
    if problems:
        raise ProofError("the set of compiled models", problems)
    return ReadingProof(read, lines, characters, max(scores), max(box_scores), tolerance)


def line_differences(expected: list[Line], found: list[Line]) -> list[str]:
    """Every difference of two readings of one picture, a sentence each."""
    if len(expected) != len(found):
        return [f"{len(expected)} lines were expected, {len(found)} found"]
    differences = []
    for number, (a, b) in enumerate(zip(expected, found, strict=True), 1):
        if not np.array_equal(a.box, b.box):
            differences.append(f"box {number}: {b.box.tolist()} in place of {a.box.tolist()}")
        if a.text != b.text:
            differences.append(f"line {number}: {b.text!r} in place of {a.text!r}")
    return differences

"""The proof that a compiled model answers as the model it was made from: tensors.

The same random pictures go through both; the best classes must be the same wherever the best one
leads by more than the bound of all probabilities.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from ppocr_converters.catalogue.entries import Kind, Normalisation
from ppocr_converters.errors import ModelError, ProofError
from ppocr_converters.graph.kinds import kind_of
from ppocr_converters.graph.onnx_model import OnnxFile, inputs, is_compiled, metadata
from ppocr_converters.proof import networks
from ppocr_converters.proof.networks import Bytes, Floats, PlainNetwork
from ppocr_converters.proof.tolerance import Tolerance, tolerance_for
from ppocr_engine.onnxruntime_session import runtime_errors
from ppocr_engine.spec import ONNXRUNTIME, EngineSpec
from ppocr_pipeline.pipeline import Network

SEED = 20
#: Batch, height, width: one picture, several, the smallest, long and tall ones.
DET_SHAPES = ((1, 32, 32), (1, 320, 416), (3, 96, 160), (2, 64, 640), (1, 480, 96))
#: Batch, width.
REC_SHAPES = ((1, 160), (1, 8), (6, 320), (3, 96), (2, 1280))
#: Batch: a classifier has one width.
CLS_BATCHES = (1, 6, 3)


@dataclass(frozen=True)
class TensorProof:
    """What was compared, and how far it differs.

    Attributes:
        precision: of the compiled model, or that in which its engine computes.
        shapes: of the random inputs, [N, H, W, 3].
        values: how many probabilities were compared.
        max_difference: the largest absolute difference of one.
        mean_difference: the mean absolute difference.
        max_probability: the largest one seen; a proof on which nothing is found proves little.
        problems: every bound that is not kept, a sentence each.
    """

    precision: str
    shapes: list[list[int]]
    values: int
    max_difference: float
    mean_difference: float
    max_probability: float
    tolerance: Tolerance
    problems: list[str]

    def require(self, compiled: OnnxFile) -> TensorProof:
        """The proof itself, if every bound is kept.

        Raises:
            ProofError: one is not.
        """
        if self.problems:
            raise ProofError(str(compiled.path), self.problems)
        return self


class Compared(NamedTuple):
    """Two answers to one input.

    Attributes:
        best: the expected probabilities, of the best class where there are several.
        differences: the absolute difference of each.
        wrong: best classes that are other ones, and less likely by more than the bound.
    """

    best: Floats
    differences: Floats
    wrong: int = 0


Compare = Callable[[Bytes], Compared]


def compare_file(
    compiled: OnnxFile,
    source: Path,
    *,
    bounds: Sequence[str] = (),
    engine: EngineSpec = ONNXRUNTIME,
) -> TensorProof:
    """Compare a compiled file with what it was made from on random pictures.

    `bounds` are NAME=VALUE, in place of those of the precisions of model and engine.

    Raises:
        ModelError: one of them cannot be loaded, or the first is not compiled.
    """
    model = compiled.model
    if not is_compiled(model):
        raise ModelError(
            f"{compiled.path} is not compiled; run `ppocr-convert compile` on it first"
        )
    kind, rng = kind_of(model), np.random.default_rng(SEED)
    precision, tolerance = tolerance_for(metadata(model), str(engine), bounds)
    network = networks.source_network(source, metadata(model))
    served = networks.compiled_network(compiled.path, engine)
    if kind == "det":
        compare = _compare_maps(served, network, networks.normalisation_of(model))
    else:
        classes = networks.plain_classes(network, model)
        compare = _compare_classes(served, classes, rng, tolerance.max_difference)
    results: list[Compared] = []
    problems: list[str] = []
    shapes = _shapes(kind, inputs(model)[0].shape)
    for shape in shapes:
        try:
            results.append(compare(random_pictures(rng, shape)))
        except runtime_errors() as error:
            reason = str(error).strip().splitlines()[-1]
            raise ModelError(f"cannot be run with {list(shape)}: {reason}") from error
        problems += [f"input {list(shape)}: {one}" for one in _problems(results[-1], tolerance)]
    differences = np.concatenate([result.differences.ravel() for result in results])
    return TensorProof(
        precision=precision,
        shapes=[list(shape) for shape in shapes],
        values=differences.size,
        max_difference=float(differences.max()),
        mean_difference=float(differences.mean(dtype=np.float64)),
        max_probability=max(float(result.best.max()) for result in results),
        tolerance=tolerance,
        problems=problems,
    )


def _shapes(kind: Kind, declared: tuple[int | str, ...]) -> list[tuple[int, int, int, int]]:
    """The random inputs, [N, H, W, 3], for a model that declares its input so."""
    if kind == "det":
        return [(n, h, w, 3) for n, h, w in DET_SHAPES]
    height, width = declared[1:3]
    if isinstance(height, str):
        raise ModelError("the height of CROPS is not in the compiled model")
    if isinstance(width, int):
        return [(n, height, width, 3) for n in CLS_BATCHES]
    return [(n, height, w, 3) for n, w in REC_SHAPES]


def _problems(result: Compared, bounds: Tolerance) -> list[str]:
    """The bounds that one input breaks; a NaN breaks all of them."""
    problems = []
    largest, mean = result.differences.max(), result.differences.mean(dtype=np.float64)
    if not largest <= bounds.max_difference:
        problems.append(
            f"probabilities differ by up to {largest:.2g}, the bound is {bounds.max_difference:g}"
        )
    if not mean <= bounds.mean_difference:
        problems.append(
            f"probabilities differ by {mean:.2g} on average, the bound is "
            f"{bounds.mean_difference:g}"
        )
    if result.wrong:
        problems.append(f"{result.wrong} of {result.best.size} best classes differ")
    return problems


def random_pictures(rng: np.random.Generator, shape: tuple[int, ...]) -> Bytes:
    """Random uint8 pictures of a shape N, H, W, 3: words in many sizes on uneven, noisy ground.

    On mere noise a detector answers 0 everywhere, whatever is wrong with it.
    """
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


def _compare_maps(served: Network, network: PlainNetwork, norm: Normalisation) -> Compare:
    def compare(pixels: Bytes) -> Compared:
        expected = network(networks.normalise(pixels, norm))[:, 0]
        return Compared(expected, np.abs(served({"DET_INPUT": pixels})[0] - expected))

    return compare


def _compare_classes(
    served: Network,
    classes: Callable[[Mapping[str, np.ndarray]], Floats],
    rng: np.random.Generator,
    bound: float,
) -> Compare:
    def compare(crops: Bytes) -> Compared:
        widths = rng.integers(1, crops.shape[2] + 1, (len(crops), 1)).astype(np.int32)
        widths[0] = crops.shape[2]
        feeds: dict[str, np.ndarray] = {"CROPS": crops, "WIDTHS": widths}
        expected = classes(feeds)
        indices, probabilities = served(feeds)
        best = expected.max(axis=-1)
        chosen = np.take_along_axis(expected, indices[..., None].astype(np.int64), -1)[..., 0]
        wrong = int(np.count_nonzero(best - chosen > bound))
        return Compared(best, np.abs(probabilities - best), wrong)

    return compare

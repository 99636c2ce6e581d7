"""The shapes that each network is served with: one structure, from which all else is made.

The explicit shapes of ONNX Runtime's TensorRT provider, the optimisation profiles of a native
engine, CUDA graphs and the warm-up samples all come from these ranges, one for each bucket.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ppocr_converters.catalogue.entries import Kind
from ppocr_converters.errors import RepositoryError
from ppocr_converters.graph.onnx_model import Tensor
from ppocr_converters.repository.deployment_plan import Shapes
from ppocr_pipeline.resize import Canvas

#: Narrowest crop a recogniser is asked for, pixels: what its strides leave a column of.
NARROWEST = 8
Dims = tuple[int, ...]


#: The smallest ("min"), usual ("opt") and largest ("max") shape of one input, batch axis first.
Range = Mapping[str, Dims]
#: The shapes of all inputs of a network for one bucket, by their names.
Bucket = Mapping[str, Range]
Buckets = Mapping[str, Bucket]
BOUNDS = ("min", "opt", "max")


def buckets_of(
    kind: Kind,
    inputs: Sequence[Tensor],
    shapes: Shapes,
    widths: Sequence[int],
    canvases: Sequence[Canvas] = (),
) -> Buckets:
    """The buckets of one compiled network, by their names; widths, canvases and sides in pixels.

    Returns:
        For a detector one for each canvas or range of sides; for a recogniser one for each width,
        from the one before it on, so that they leave no gap; for a classifier its one size.

    Raises:
        RepositoryError: the plan has no sides for a detector.
    """
    pixels, *others = inputs
    sizes: list[tuple[str, tuple[tuple[int, int], ...]]]
    if kind == "det" and canvases:
        sizes = [
            (f"canvas{high}x{wide}", ((high, wide), (high, wide), (high, wide)))
            for high, wide in canvases
        ]
    elif kind == "det":
        if not shapes.sides:
            raise RepositoryError("the plan names no sides for the shapes of the detector")
        sizes = [
            (f"side{sides[2]}", tuple((side, side) for side in sides)) for sides in shapes.sides
        ]
    elif kind == "rec":
        height = _fixed(pixels, 1)
        first = [NARROWEST, *(width + 1 for width in widths[:-1])]
        sizes = [
            (f"width{width}", ((height, low), (height, width), (height, width)))
            for low, width in zip(first, widths, strict=True)
        ]
    else:
        size = (_fixed(pixels, 1), _fixed(pixels, 2))
        sizes = [(f"{size[0]}x{size[1]}", (size, size, size))]
    batches = dict(zip(BOUNDS, shapes.batches, strict=True))
    return {
        name: {
            pixels.name: {
                bound: (rows, *size, 3)
                for (bound, rows), size in zip(batches.items(), three, strict=True)
            },
            **{one.name: {bound: (rows, 1) for bound, rows in batches.items()} for one in others},
        }
        for name, three in sizes
    }


def _fixed(tensor: Tensor, axis: int) -> int:
    size = tensor.shape[axis]
    if not isinstance(size, int):
        raise RepositoryError(f"{tensor} has no fixed size at axis {axis}")
    return size


def whole(buckets: Buckets) -> Bucket:
    """One range that holds all buckets, usual where the middle bucket is."""
    every = list(buckets.values())
    usual = every[len(every) // 2]

    def outermost(name: str, bound: str, choose: Callable[..., int]) -> Dims:
        return tuple(map(choose, zip(*(bucket[name][bound] for bucket in every), strict=True)))

    return {
        name: {
            "min": outermost(name, "min", min),
            "opt": range_["opt"],
            "max": outermost(name, "max", max),
        }
        for name, range_ in usual.items()
    }


def spelled(bucket: Bucket) -> dict[str, str]:
    """The min, opt and max shapes of a bucket, as trtexec has them: CROPS:1x48x320x3,WIDTHS:1x1."""
    return {
        bound: ",".join(f"{n}:{'x'.join(map(str, range_[bound]))}" for n, range_ in bucket.items())
        for bound in BOUNDS
    }

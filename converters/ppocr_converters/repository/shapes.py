"""The shapes that each network is served with: one structure, from which all else is made.

The explicit shapes of ONNX Runtime's TensorRT provider, the optimisation profiles of a native
engine, CUDA graphs and the warm-up samples all come from these ranges, one for each bucket.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ppocr_converters.catalogue.entries import Kind
from ppocr_converters.errors import RepositoryError
from ppocr_converters.graph.onnx_model import Tensor
from ppocr_converters.repository.deployment_plan import Shapes
from ppocr_engine.config_pbtxt import TYPES
from ppocr_pipeline.resize import Canvas

#: Narrowest crop a recogniser is asked for, pixels: what its strides leave a column of.
NARROWEST = 8
#: The smallest ("min"), usual ("opt") and largest ("max") shape of one input, batch axis first.
Range = Mapping[str, tuple[int, ...]]
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
    """
    pixels, *others = inputs
    sizes: dict[str, Sequence[tuple[int, int]]]
    if kind == "det" and canvases:
        sizes = {f"canvas{high}x{wide}": [(high, wide)] * 3 for high, wide in canvases}
    elif kind == "det":
        if not shapes.sides:
            raise RepositoryError("the plan names no sides for the shapes of the detector")
        sizes = {f"side{sides[2]}": [(side, side) for side in sides] for sides in shapes.sides}
    elif kind == "rec":
        height = _fixed(pixels, 1)
        first = [NARROWEST, *(width + 1 for width in widths[:-1])]
        sizes = {
            f"width{width}": [(height, low), (height, width), (height, width)]
            for low, width in zip(first, widths, strict=True)
        }
    else:
        high, wide = _fixed(pixels, 1), _fixed(pixels, 2)
        sizes = {f"{high}x{wide}": [(high, wide)] * 3}
    rows = dict(zip(BOUNDS, shapes.batches, strict=True))
    return {
        name: {
            pixels.name: {
                bound: (rows[bound], *size, 3) for bound, size in zip(BOUNDS, three, strict=True)
            },
            **{other.name: {bound: (rows[bound], 1) for bound in BOUNDS} for other in others},
        }
        for name, three in sizes.items()
    }


def _fixed(tensor: Tensor, axis: int) -> int:
    size = tensor.shape[axis]
    if not isinstance(size, int):
        raise RepositoryError(f"{tensor} has no fixed size at axis {axis}")
    return size


def whole(buckets: Buckets) -> Bucket:
    """One range that holds all buckets, usual where the middle bucket is."""
    every = list(buckets.values())

    def outermost(name: str, bound: str, choose: Callable[..., int]) -> tuple[int, ...]:
        return tuple(map(choose, zip(*(bucket[name][bound] for bucket in every), strict=True)))

    return {
        name: {
            "min": outermost(name, "min", min),
            "opt": range_["opt"],
            "max": outermost(name, "max", max),
        }
        for name, range_ in every[len(every) // 2].items()
    }


def spelled(bucket: Bucket) -> dict[str, str]:
    """The min, opt and max shapes of a bucket, as trtexec has them: CROPS:1x48x320x3,WIDTHS:1x1."""
    return {
        bound: ",".join(f"{n}:{'x'.join(map(str, range_[bound]))}" for n, range_ in bucket.items())
        for bound in BOUNDS
    }


def prepared_rows(bucket: Bucket) -> list[int]:
    """The rows of a bucket that are prepared: the fewest, doubled again and again, and the most."""
    range_ = next(iter(bucket.values()))
    rows, most = [range_["min"][0]], range_["max"][0]
    while rows[-1] * 2 < most:
        rows.append(rows[-1] * 2)
    return [*rows, most]


def set_up_provider(config: Any, buckets: Buckets) -> None:
    """Give ONNX Runtime's TensorRT provider the shapes of its engine.

    It gets one range over all buckets: the provider can build several profiles, but nothing says
    that it would choose among them by the shape of a request. Without explicit shapes it builds
    the engine again whenever a shape leaves what it has seen. Without a precision it computes in
    the types of the file.
    """
    for accelerator in config.optimization.execution_accelerators.gpu_execution_accelerator:
        if accelerator.name == "tensorrt":
            for what, shapes in spelled(whole(buckets)).items():
                accelerator.parameters[f"trt_profile_{what}_shapes"] = shapes


def add_warmup(config: Any, inputs: Sequence[Tensor], buckets: Buckets) -> None:
    """Have Triton run samples of each bucket, of `prepared_rows`, at the start.

    Engines, cuDNN's choice of algorithms and memory arenas are then there before the first request
    comes. The samples are zeros: what counts is their shape.
    """
    types = {tensor.name: TYPES[tensor.dtype] for tensor in inputs}
    del config.model_warmup[:]
    for bucket, shapes in buckets.items():
        for rows in prepared_rows(shapes):
            sample = config.model_warmup.add(name=f"{bucket}_rows{rows}", batch_size=rows)
            for name, range_ in shapes.items():
                given = sample.inputs[name]
                zeros = type(given)(data_type=types[name], dims=range_["opt"][1:], zero_data=True)
                given.CopyFrom(zeros)

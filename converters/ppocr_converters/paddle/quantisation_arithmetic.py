"""The arithmetic of Paddle's quantisation in ordinary operators, and where they are put.

It is that of Paddle's own CPU kernel (phi/kernels/funcs/fake_quantize_functor.cc and
fake_dequantize_functor.cc), step by step:

    round type 1    q = round(clip(x, -s, s) * (bins / s)), halves away from 0
    round type 0    q = clip(round(x * (bins / s)), -bins - 1, bins), halves to even
    dequantised     q * s / bins

with bins = 2^(bits - 1) - 1 and s the scale in the file, or the largest absolute value of x or of
each of its channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
#: The largest float below a half: added to a float before it is cut, it rounds halves away from 0,
#: and what is just below a half down.
BELOW_HALF = np.nextafter(np.float32(0.5), np.float32(0))
#: Paddle divides by s, but by s + 1e-6 where s is not above 1e-30.
TINY, TINY_EXTRA = np.float32(1e-30), np.float32(1e-6)


class Writer:
    """A place in a program where operators are put, one after another."""

    def __init__(self, block: Any, position: int) -> None:
        self.block = block
        self.position = position

    def constant(self, values: npt.ArrayLike) -> str:
        """Add a float32 weight of one axis; returns its name."""
        array = np.atleast_1d(np.asarray(values, np.float32))
        name = self._fresh()
        self.block.create_var(name=name, shape=array.shape, dtype="float32", persistable=True)
        store(name, array)
        return name

    def emit(
        self, kind: str, x: str, y: str | None = None, to: str | None = None, **attributes: Any
    ) -> str:
        """Add an operator with inputs X and Y and one output; returns the output's name."""
        name = to or self._fresh()
        if not self.block.has_var(name):
            self.block.create_var(name=name)
        self.block.var(name).persistable = False
        inputs = {"X": [x]} | ({} if y is None else {"Y": [y]})
        self.block._insert_op(
            self.position, type=kind, inputs=inputs, outputs={"Out": [name]}, attrs=attributes
        )
        self.position += 1
        return name

    def _fresh(self) -> str:
        from paddle.utils import unique_name

        return str(unique_name.generate("unfaked"))


@dataclass(frozen=True)
class Scale:
    """Names of what a quantisation needs, of one value or of one a channel.

    Attributes:
        size: s, the largest value that has a step.
        negative: -s.
        steps: bins / s.
        axis: of the channels, -1 without.
    """

    size: str
    negative: str
    steps: str
    axis: int


def known_scale(writer: Writer, size: str, axis: int, bins: int) -> Scale:
    """A scale whose values are in the file."""
    values = np.atleast_1d(stored(size))
    inverse = np.float32(1) / np.where(values <= TINY, values + TINY_EXTRA, values)
    steps = writer.constant(np.float32(bins) * inverse)
    return Scale(writer.constant(values), writer.constant(-values), steps, axis)


def computed_scale(writer: Writer, size: str, axis: int, bins: int) -> Scale:
    """A scale that the program works out."""
    is_tiny = writer.emit("less_equal", size, writer.constant(TINY), axis=-1)
    tiny = writer.emit("cast", is_tiny, in_dtype=0, out_dtype=5)  # bool to float32
    extra = writer.emit("elementwise_mul", tiny, writer.constant(TINY_EXTRA), axis=-1)
    divisor = writer.emit("elementwise_add", size, extra, axis=-1)
    inverse = writer.emit("elementwise_div", writer.constant(1), divisor, axis=-1)
    steps = writer.emit("elementwise_mul", inverse, writer.constant(bins), axis=-1)
    negative = writer.emit("elementwise_mul", size, writer.constant(-1), axis=-1)
    return Scale(size, negative, steps, axis)


def quantise(writer: Writer, x: str, scale: Scale, bins: int, round_type: int) -> str:
    """Bring values to steps -bins to bins, or with round type 0 from -bins - 1 on."""
    if round_type == 0:
        steps = writer.emit("elementwise_mul", x, scale.steps, axis=scale.axis)
        low, high = writer.constant(-bins - 1), writer.constant(bins)
        capped = writer.emit("elementwise_min", writer.emit("round", steps), high, axis=-1)
        return writer.emit("elementwise_max", capped, low, axis=-1)
    capped = writer.emit("elementwise_min", x, scale.size, axis=scale.axis)
    clipped = writer.emit("elementwise_max", capped, scale.negative, axis=scale.axis)
    return round_away(writer, writer.emit("elementwise_mul", clipped, scale.steps, axis=scale.axis))


def round_away(writer: Writer, x: str) -> str:
    """Round, halves away from 0; ONNX's own operator rounds them to even."""
    size = writer.emit("abs", x)
    raised = writer.emit("elementwise_add", size, writer.constant(BELOW_HALF), axis=-1)
    return writer.emit("elementwise_mul", writer.emit("floor", raised), writer.emit("sign", x))


def dequantise(
    writer: Writer, x: str, sizes: Sequence[tuple[str, int]], bins: float, target: str
) -> None:
    """Bring steps back to values: times every size along its axis, through the bins."""
    for size, axis in sizes:
        x = writer.emit("elementwise_mul", x, size, axis=axis)
    writer.emit("elementwise_div", x, writer.constant(bins), to=target, axis=-1)


def largest(writer: Writer, x: str, axis: int, target: str) -> str:
    """The largest absolute value of all values, or of each channel along an axis: one or [C]."""
    rank = len(writer.block.var(x).shape)
    axes = [at for at in range(rank) if axis < 0 or at != axis]
    sizes = writer.emit("abs", x)
    return writer.emit("reduce_max", sizes, to=target, dim=axes, reduce_all=axis < 0)


def vector(writer: Writer, name: str) -> str:
    """A scale as a vector, in whatever shape it was saved."""
    return writer.constant(stored(name).reshape(-1)) if is_known(writer.block, name) else name


def is_known(block: Any, name: str) -> bool:
    """Whether a variable is a weight."""
    return bool(block.var(name).persistable)


def stored(name: str) -> Floats:
    """The values of a weight."""
    from paddle import static

    return np.array(static.global_scope().find_var(name).get_tensor(), np.float32)


def store(name: str, values: npt.NDArray[Any]) -> None:
    """Set the values of a weight."""
    import paddle
    from paddle import static

    static.global_scope().var(name).get_tensor().set(values, paddle.CPUPlace())

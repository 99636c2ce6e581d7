"""The older form of Paddle's quantisation, rewritten in ordinary operators before a conversion.

ONNX has nothing for the operators `fake_quantize_*` and `fake_dequantize_*`, which are in models
that PaddleSlim quantised without onnx_format. Each becomes the arithmetic of
`quantisation_arithmetic`; what depends on weights alone is worked out here by Paddle's own kernel.

Paddle's switches are for a whole process, so this runs as one of its own: `rewritten` starts it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ppocr_converters.errors import ModelError
from ppocr_converters.paddle.quantisation_arithmetic import (
    Writer,
    computed_scale,
    dequantise,
    is_known,
    known_scale,
    largest,
    quantise,
    store,
    vector,
)


@contextmanager
def rewritten(
    program: Path, weights: Path, operators: frozenset[str], origin: Path
) -> Iterator[tuple[Path, Path]]:
    """The program and its weights without fake operators; they are the given ones without any.

    Args:
        program: a Paddle 2 program.
        weights: one file of all its weights.
        operators: the types of the program's operators.
        origin: the program's name for messages.

    Raises:
        ModelError: an operator or the way it is used is unknown; it is named.
    """
    fake = sorted(name for name in operators if name.startswith("fake_") or name in REWRITINGS)
    if not fake:
        yield program, weights
        return
    if unknown := [name for name in fake if name not in REWRITINGS]:
        raise ModelError(
            f"cannot convert {origin}: it is quantised by the unknown operators "
            f"{', '.join(unknown)}; known are {', '.join(sorted(REWRITINGS))}; save it again with "
            f"onnx_format=True (quantize_linear), or give the model that was not quantised"
        )
    with tempfile.TemporaryDirectory(prefix="ppocr-") as scratch:
        targets = Path(scratch, "inference.pdmodel"), Path(scratch, "inference.pdiparams")
        command = [sys.executable, "-W", "ignore", "-m", __name__]
        command += [str(path) for path in (program, weights, *targets)]
        environment = os.environ | {"FLAGS_enable_pir_api": "0", "GLOG_minloglevel": "2"}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        if done.returncode != 0:
            said = [line.strip() for line in done.stderr.splitlines() if "Error:" in line]
            reason = said[-1] if said else f"Paddle ended with {done.returncode}"
            reason = reason.removeprefix(f"{ModelError.__module__}.{ModelError.__name__}: ")
            raise ModelError(f"cannot rewrite the quantisation of {origin}: {reason}")
        yield targets


def rewrite_quantiser(writer: Writer, operator: Any, *, given: bool, back: bool) -> None:
    """fake_quantize_*, with its scale given or else the largest of its input, and perhaps back."""
    (x,), (target,) = operator.input("X"), operator.output("Out")
    bins = 2 ** (operator.attr("bit_length") - 1) - 1
    axis = operator.attr("quant_axis") if operator.has_attr("quant_axis") else -1
    is_test = bool(operator.has_attr("is_test") and operator.attr("is_test"))
    if given and not is_test:
        raise ModelError(
            f"{operator.type} is in training mode (is_test is false), in which every picture "
            f"changes its scale; save the model for inference"
        )
    (size,) = operator.input("InScale") if given else operator.output("OutScale")
    if not given and not is_test:
        size = largest(writer, x, axis, size)
    scale_of = known_scale if is_known(writer.block, size) else computed_scale
    scale = scale_of(writer, size, axis, bins)
    round_type = operator.attr("round_type") if operator.has_attr("round_type") else 1
    steps = quantise(writer, x, scale, bins, round_type)
    if back:
        dequantise(writer, steps, [(scale.size, scale.axis)], bins, target)
    else:
        writer.emit("assign", steps, to=target)


def rewrite_dequantiser(writer: Writer, operator: Any) -> None:
    """fake_dequantize_max_abs: its max_range is the bins."""
    sizes = [(vector(writer, operator.input("Scale")[0]), -1)]
    (x,), (target,) = operator.input("X"), operator.output("Out")
    dequantise(writer, x, sizes, operator.attr("max_range"), target)


def rewrite_channel_dequantiser(writer: Writer, operator: Any) -> None:
    """fake_channel_wise_dequantize_max_abs, of weights or of what was computed with them.

    The one scale of weights lies along quant_axis. Where there are two, the first is that of the
    weights of the operator before, along x_num_col_dims, the second that of its input.
    """
    first, *rest = operator.input("Scales")
    axis = operator.attr("x_num_col_dims") if rest else operator.attr("quant_axis")
    bits = operator.attr("quant_bits")[: 1 + len(rest)]
    bins = float(np.prod([2 ** (count - 1) - 1 for count in bits]))
    sizes = [(vector(writer, first), axis), *((vector(writer, name), -1) for name in rest)]
    (x,), (target,) = operator.input("X"), operator.output("Out")
    dequantise(writer, x, sizes, bins, target)


def rewrite_observer(writer: Writer, operator: Any) -> None:
    """moving_average_abs_max_scale only watches the values that pass."""
    writer.emit("assign", operator.input("X")[0], to=operator.output("Out")[0])


def rewrite_isnan(writer: Writer, operator: Any) -> None:
    """What is not equal to itself is not a number; the converter knows no isnan_v2."""
    (x,), (target,) = operator.input("X"), operator.output("Out")
    writer.emit("not_equal", x, x, to=target)


_observed = partial(rewrite_quantiser, given=False)
_given = partial(rewrite_quantiser, given=True)
#: How each operator is rewritten.
REWRITINGS: dict[str, Callable[[Writer, Any], None]] = {
    "fake_quantize_abs_max": partial(_observed, back=False),
    "fake_quantize_dequantize_abs_max": partial(_observed, back=True),
    "fake_channel_wise_quantize_abs_max": partial(_observed, back=False),
    "fake_channel_wise_quantize_dequantize_abs_max": partial(_observed, back=True),
    "fake_quantize_range_abs_max": partial(_given, back=False),
    "fake_quantize_moving_average_abs_max": partial(_given, back=False),
    "fake_quantize_dequantize_moving_average_abs_max": partial(_given, back=True),
    "fake_dequantize_max_abs": rewrite_dequantiser,
    "fake_channel_wise_dequantize_max_abs": rewrite_channel_dequantiser,
    "moving_average_abs_max_scale": rewrite_observer,
    "isnan_v2": rewrite_isnan,
}


def rewrite(program: Any, executor: Any) -> None:
    """Rewrite every fake operator of a loaded program in place."""
    block = program.global_block()
    position = 0
    while position < len(block.ops):
        operator = block.ops[position]
        if operator.type not in REWRITINGS:
            position += 1
            continue
        require_scale(block, operator)
        if all(is_known(block, name) for name in operator.input_arg_names):
            fold(block, operator, executor)
            block._remove_op(position)
        else:
            writer = Writer(block, position + 1)
            REWRITINGS[operator.type](writer, operator)
            block._remove_op(position)
            position = writer.position - 1
    used = {name for op in block.ops for name in (*op.input_arg_names, *op.output_arg_names)}
    for name in [name for name in block.vars if name not in used]:
        block._remove_var(name)


def require_scale(block: Any, operator: Any) -> None:
    """See that an operator which in inference reads its OutScale finds one in the file."""
    reads = "OutScale" in operator.output_names and "InScale" not in operator.input_names
    if not (reads and operator.has_attr("is_test") and operator.attr("is_test")):
        return
    if missing := [name for name in operator.output("OutScale") if not is_known(block, name)]:
        raise ModelError(
            f"{operator.type} reads its scale {missing[0]}, which is not among the weights; save "
            f"the model again with its scales"
        )


def fold(block: Any, operator: Any, executor: Any) -> None:
    """Let Paddle work out an operator that depends on weights alone, and keep its answers."""
    from paddle import static

    is_test = operator.has_attr("is_test") and operator.attr("is_test")
    ports = [port for port in operator.output_names if port == "Out" or not is_test]
    answers = [name for port in ports for name in operator.output(port)]
    alone = static.Program()
    for name in {*operator.input_arg_names, *operator.output_arg_names}:
        variable = block.var(name)
        alone.global_block().create_var(
            name=name, shape=variable.shape, dtype=variable.dtype, persistable=True
        )
    alone.global_block().append_op(
        type=operator.type,
        inputs={port: operator.input(port) for port in operator.input_names},
        outputs={port: operator.output(port) for port in operator.output_names},
        attrs=operator.all_attrs(),
    )
    for name, values in zip(answers, executor.run(alone, fetch_list=answers), strict=True):
        store(name, values)
        block.var(name).persistable = True


def main(program: Path, weights: Path, program_to: Path, weights_to: Path) -> None:
    """Rewrite one program with its weights into two new files."""
    import paddle
    from paddle import static

    paddle.enable_static()
    executor = static.Executor(paddle.CPUPlace())
    loaded = static.deserialize_program(program.read_bytes())
    static.io.load_vars(
        executor, str(weights.parent), loaded, vars=_weights(loaded), filename=weights.name
    )
    rewrite(loaded, executor)
    program_to.write_bytes(loaded.desc.serialize_to_string())
    static.io.save_vars(
        executor, str(weights_to.parent), loaded, vars=_weights(loaded), filename=weights_to.name
    )


def _weights(program: Any) -> list[Any]:
    """The weights of a program in the order of a weights file."""
    kept = [v for v in program.list_vars() if v.persistable and v.name not in ("feed", "fetch")]
    return sorted(kept, key=lambda variable: str(variable.name))


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:5]))

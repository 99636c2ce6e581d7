"""Save small detectors with Paddle's older operators of quantisation: `FOLDER`, run as a process.

Each goes to FOLDER/FORM-BITS-ROUNDING, for every form in `FORMS`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from paddle import static

SCALE = 1.7
PER_CHANNEL, PER_TENSOR = "fake_channel_wise_dequantize_max_abs", "fake_dequantize_max_abs"
#: What is quantised, by which operator, along which axis, and which operator brings it back: "x",
#: "weights", or "around", x before a convolution with weights of whole numbers and its answer back.
FORMS: dict[str, tuple[str, str, int | None, str | None]] = {
    "moving": ("x", "fake_quantize_dequantize_moving_average_abs_max", None, None),
    "largest": ("x", "fake_quantize_dequantize_abs_max", None, None),
    "channels": ("x", "fake_channel_wise_quantize_dequantize_abs_max", 1, None),
    "channels-two": ("x", "fake_channel_wise_quantize_abs_max", 1, PER_CHANNEL),
    "conv-moving": ("around", "fake_quantize_moving_average_abs_max", None, PER_CHANNEL),
    "conv-range": ("around", "fake_quantize_range_abs_max", None, PER_TENSOR),
    "conv-largest": ("around", "fake_quantize_abs_max", None, PER_TENSOR),
    "conv-largest-channels": ("around", "fake_quantize_abs_max", None, PER_CHANNEL),
    "weights": ("weights", "fake_quantize_dequantize_abs_max", None, None),
    "weights-out": ("weights", "fake_channel_wise_quantize_dequantize_abs_max", 0, None),
    "weights-in": ("weights", "fake_channel_wise_quantize_dequantize_abs_max", 1, None),
    "weights-two": ("weights", "fake_channel_wise_quantize_abs_max", 0, PER_CHANNEL),
    "training": ("x", "fake_quantize_dequantize_moving_average_abs_max", None, None),
}
SETTINGS = {form: [(8, 1)] for form in FORMS}  # bits and rounding
SETTINGS["moving"] = SETTINGS["channels"] = [(8, 1), (8, 0), (4, 1)]


class Saver:
    """A program being written, in which everything is named."""

    def __init__(self, block: static.Block, bits: int, rounding: int) -> None:
        self.block, self.bits, self.rounding = block, bits, rounding
        self.count = 0

    def fresh(self, kind: str) -> str:
        self.count += 1
        return f"{kind}_{self.count}.own"

    def weight(self, values: Any) -> str:
        name, values = self.fresh("weight"), np.asarray(values, np.float32)
        self.block.create_var(name=name, shape=values.shape, dtype="float32", persistable=True)
        static.global_scope().var(name).get_tensor().set(values, paddle.CPUPlace())
        return name

    def filters(self, count: int = 1) -> str:
        return self.weight(np.random.default_rng(3).normal(size=(count, 3, 3, 3)))

    def add(self, kind: str, output: str, inputs: dict[str, list[str]], **more: Any) -> str:
        """Append an operator; `outputs` names what it answers besides the output."""
        outputs = {output: [self.fresh(kind)], **more.pop("outputs", {})}
        for (name,) in outputs.values():
            if not self.block.has_var(name):
                self.block.create_var(name=name, dtype="float32")
        self.block.append_op(type=kind, inputs=inputs, outputs=outputs, attrs=more)
        return outputs[output][0]

    def conv(self, x: str, weights: str) -> str:
        more = {"strides": [1, 1], "paddings": [1, 1], "dilations": [1, 1], "groups": 1}
        return self.add("conv2d", "Output", {"Input": [x], "Filter": [weights]}, **more)

    def quantise(self, kind: str, value: str, axis: int | None) -> tuple[str, str]:
        """What an operator makes of a value, and its scale; moving ones have it in the file."""
        more: dict[str, Any] = {} if axis is None else {"quant_axis": axis}
        inputs = {"X": [value]}
        if "moving" in kind or "range" in kind:
            scale = self.weight([SCALE])
            inputs["InScale"], more["is_test"] = [scale], True
        elif kind == "fake_channel_wise_quantize_abs_max":
            scale, more["is_test"] = self.weight([1.5, 1.7, 1.9]), True
        else:
            scale = self.fresh("scale")
        more |= {"bit_length": self.bits, "round_type": self.rounding}
        return self.add(kind, "Out", inputs, outputs={"OutScale": [scale]}, **more), scale

    def answer(self, form: str, x: str) -> str:
        """The output of a form's network."""
        of, kind, axis, back = FORMS[form]
        values, scale = self.quantise(kind, self.filters(3) if of == "weights" else x, axis)
        scales, bits, axis = [scale], [self.bits], axis or 0
        if of == "around":
            whole = np.random.default_rng(4).integers(-127, 128, (3, 3, 3, 3))
            values = self.conv(values, self.weight(whole))
            scales, bits = [self.weight([0.2, 0.5, 1.1]), scale], [8, self.bits]
        if back == PER_CHANNEL:
            inputs = {"X": [values], "Scales": scales}
            values = self.add(back, "Out", inputs, quant_bits=bits, quant_axis=axis)
        elif back == PER_TENSOR:
            most = 127.0 * (2 ** (self.bits - 1) - 1)
            values = self.add(back, "Out", {"X": [values], "Scale": [scale]}, max_range=most)
        return self.conv(self.conv(x, values) if of == "weights" else values, self.filters())


def save(form: str, target: Path, bits: int, rounding: int) -> None:
    program = static.Program()
    with static.program_guard(program):
        x = static.data("x", [-1, 3, -1, -1], "float32")
    block = program.global_block()
    answer = block.var(Saver(block, bits, rounding).answer(form, x.name))
    executor = static.Executor(paddle.CPUPlace())
    static.save_inference_model(str(target / "inference"), [x], [answer], executor, program=program)
    if form == "training":  # which saving sets right
        saved = static.deserialize_program((target / "inference.pdmodel").read_bytes())
        for operator in saved.global_block().ops:
            if operator.has_attr("is_test"):
                operator._set_attr("is_test", False)
        (target / "inference.pdmodel").write_bytes(saved.desc.serialize_to_string())


def main(folder: Path) -> None:
    paddle.enable_static()
    with paddle.pir_utils.OldIrGuard():
        for form, settings in SETTINGS.items():
            for setting in settings:
                with static.scope_guard(static.Scope()):
                    save(form, folder / "-".join(map(str, (form, *setting))), *setting)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

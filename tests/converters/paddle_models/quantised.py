"""Save models with Paddle's older operators of quantisation: `FOLDER DET PICTURE`, as a process.

Each goes to a folder of its name. `inserted` is the Paddle 2 detector in DET with its convolutions
quantised and scaled to what they see of the picture, which is kept as `values.npy` beside it. The
others, FORM-BITS-ROUNDING, are an own small detector for each form in `FORMS`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import paddle
from paddle import static

CHANNEL_AXIS = {"conv2d": 0, "depthwise_conv2d": 0, "conv2d_transpose": 1}
SCALE = 1.7


class Saver:
    """A program being written, in which everything is named."""

    def __init__(self, block: static.Block, attributes: dict[str, int]) -> None:
        self.block, self.attributes = block, attributes
        self.count = 0

    def weight(self, values: np.ndarray) -> str:
        name = self.fresh("weight")
        self.block.create_var(name=name, shape=values.shape, dtype="float32", persistable=True)
        tensor = static.global_scope().var(name).get_tensor()
        tensor.set(values.astype(np.float32), paddle.CPUPlace())
        return name

    def fresh(self, kind: str) -> str:
        self.count += 1
        return f"{kind}_{self.count}.own"

    def add(self, kind: str, inputs: dict, scale: str | None = None, **attributes: object) -> str:
        """Append an operator with the answers Out and, by the name given, OutScale."""
        out = self.fresh(kind)
        outputs = {"Out": [out]} | ({"OutScale": [scale]} if scale else {})
        for name in (out, *([scale] if scale else [])):
            if not self.block.has_var(name):
                self.block.create_var(name=name, dtype="float32")
        inputs = {
            port: value if isinstance(value, list) else [value] for port, value in inputs.items()
        }
        self.block.append_op(type=kind, inputs=inputs, outputs=outputs, attrs=attributes)
        return out

    def given(self, kind: str, x: str, scale: str, **more: object) -> str:
        """A quantiser with its scale in the file."""
        attributes = self.attributes | {"is_test": True} | more
        return self.add(kind, {"X": x, "InScale": scale}, scale, **attributes)

    def observed(self, kind: str, x: str, scale: str, **more: object) -> str:
        """A quantiser that takes the largest value as its scale."""
        return self.add(kind, {"X": x}, scale, **self.attributes, **more)

    def conv(self, x: str, weights: str) -> str:
        out = self.fresh("conv")
        self.block.create_var(name=out, dtype="float32")
        ports = {"Input": [x], "Filter": [weights]}
        attributes = {"strides": [1, 1], "paddings": [1, 1], "dilations": [1, 1], "groups": 1}
        self.block.append_op(
            type="conv2d", inputs=ports, outputs={"Output": [out]}, attrs=attributes
        )
        return out

    @property
    def bins(self) -> int:
        return 2 ** (self.attributes["bit_length"] - 1) - 1


def filters(count: int = 1) -> np.ndarray:
    return np.random.default_rng(3).normal(size=(count, 3, 3, 3))


def there_and_back(kind: str):
    """X quantised and brought back by one operator, then a convolution."""

    def build(saver: Saver, x: str) -> str:
        if "moving_average" in kind:
            values = saver.given(kind, x, saver.weight(np.array([SCALE])))
        else:
            axis = {"quant_axis": 1} if "channel_wise" in kind else {}
            values = saver.observed(kind, x, saver.fresh("scale"), **axis)
        return saver.conv(values, saver.weight(filters()))

    return build


def around_a_convolution(kind: str, *, channels: bool):
    """x quantised, a convolution with weights of whole numbers, and its answer brought back."""

    def build(saver: Saver, x: str) -> str:
        if kind == "fake_quantize_abs_max":
            scale = saver.fresh("scale")
            steps = saver.observed(kind, x, scale)
        else:
            scale = saver.weight(np.array([SCALE]))
            steps = saver.given(kind, x, scale)
        whole = np.random.default_rng(4).integers(-127, 128, (3, 3, 3, 3))
        answer = saver.conv(steps, saver.weight(whole))
        if channels:
            scales = [saver.weight(np.array([0.2, 0.5, 1.1])), scale]
            bits = [8, saver.attributes["bit_length"]]
            ports = {"X": answer, "Scales": scales}
            kind_back = "fake_channel_wise_dequantize_max_abs"
            values = saver.add(kind_back, ports, quant_bits=bits, quant_axis=0)
        else:
            ports = {"X": answer, "Scale": scale}
            values = saver.add("fake_dequantize_max_abs", ports, max_range=127.0 * saver.bins)
        return saver.conv(values, saver.weight(filters()))

    return build


def weights_alone(kind: str, axis: int | None = None):
    """Weights quantised in the program and brought back by the same operator."""

    def build(saver: Saver, x: str) -> str:
        more = {} if axis is None else {"quant_axis": axis}
        weights = saver.weight(filters(3))
        values = saver.observed(kind, weights, saver.fresh("scale"), **more)
        return saver.conv(saver.conv(x, values), saver.weight(filters()))

    return build


def weights_by_two(saver: Saver, x: str) -> str:
    """Weights quantised by one operator, to scales in the file, and brought back by a second."""
    weights = by_two(saver, saver.weight(filters(3)), 0)
    return saver.conv(saver.conv(x, weights), saver.weight(filters()))


def channels_by_two(saver: Saver, x: str) -> str:
    """X likewise, channel by channel."""
    return saver.conv(by_two(saver, x, 1), saver.weight(filters()))


def by_two(saver: Saver, x: str, axis: int) -> str:
    scale = saver.weight(np.array([1.5, 1.7, 1.9]))
    kind, kind_back = "fake_channel_wise_quantize_abs_max", "fake_channel_wise_dequantize_max_abs"
    steps = saver.observed(kind, x, scale, quant_axis=axis, is_test=True)
    bits = [saver.attributes["bit_length"]]
    return saver.add(kind_back, {"X": steps, "Scales": [scale]}, quant_bits=bits, quant_axis=axis)


def in_training(saver: Saver, x: str) -> str:
    """A scale that still moves."""
    kind = "fake_quantize_dequantize_moving_average_abs_max"
    scale, state, accum = (saver.weight(np.array([value])) for value in (SCALE, 1.0, SCALE))
    out = saver.fresh("training")
    saver.block.create_var(name=out, dtype="float32")
    inputs = {"X": [x], "InScale": [scale], "InState": [state], "InAccum": [accum]}
    outputs = {"Out": [out], "OutScale": [scale], "OutState": [state], "OutAccum": [accum]}
    attributes = saver.attributes | {"is_test": False, "moving_rate": 0.9}
    saver.block.append_op(type=kind, inputs=inputs, outputs=outputs, attrs=attributes)
    return saver.conv(out, saver.weight(filters()))


FORMS = {
    "moving": there_and_back("fake_quantize_dequantize_moving_average_abs_max"),
    "largest": there_and_back("fake_quantize_dequantize_abs_max"),
    "channels": there_and_back("fake_channel_wise_quantize_dequantize_abs_max"),
    "channels-two": channels_by_two,
    "conv-moving": around_a_convolution("fake_quantize_moving_average_abs_max", channels=True),
    "conv-range": around_a_convolution("fake_quantize_range_abs_max", channels=False),
    "conv-largest": around_a_convolution("fake_quantize_abs_max", channels=False),
    "conv-largest-channels": around_a_convolution("fake_quantize_abs_max", channels=True),
    "weights": weights_alone("fake_quantize_dequantize_abs_max"),
    "weights-out": weights_alone("fake_channel_wise_quantize_dequantize_abs_max", 0),
    "weights-in": weights_alone("fake_channel_wise_quantize_dequantize_abs_max", 1),
    "weights-two": weights_by_two,
    "training": in_training,
}


#: Bits and rounding. The quantising is one function for all, so two forms stand for others.
SETTINGS = {form: [(8, 1)] for form in FORMS}
SETTINGS["moving"] = SETTINGS["channels"] = [(8, 1), (8, 0), (4, 1)]


def save_own(form: str, target: Path, bits: int, rounding: int) -> None:
    attributes = {"bit_length": bits, "round_type": rounding}
    program = static.Program()
    with static.program_guard(program):
        x = static.data("x", [-1, 3, -1, -1], "float32")
    block = program.global_block()
    answer = FORMS[form](Saver(block, attributes), x.name)
    executor = static.Executor(paddle.CPUPlace())
    static.save_inference_model(
        str(target / "inference"), [x], [block.var(answer)], executor, program=program
    )
    if form == "training":  # which saving sets right
        saved = static.deserialize_program((target / "inference.pdmodel").read_bytes())
        for operator in saved.global_block().ops:
            if operator.has_attr("is_test"):
                operator._set_attr("is_test", False)
        (target / "inference.pdmodel").write_bytes(saved.desc.serialize_to_string())


def save_inserted(target: Path, source: Path, values: np.ndarray) -> None:
    """As training quantisation leaves a model: the input and the filter of each convolution."""
    executor = static.Executor(paddle.CPUPlace())
    program, feeds, _ = static.load_inference_model(str(source / "inference"), executor)
    block = program.global_block()
    convs = [op for op in block.ops if op.type in CHANNEL_AXIS]
    seen = sorted({op.input("Input")[0] for op in convs})
    largest = dict(
        zip(seen, executor.run(program, feed={feeds[0]: values}, fetch_list=seen), strict=True)
    )
    saver, attributes = Saver(block, {}), {"bit_length": 8, "round_type": 1}
    for conv in convs:
        x, weights = conv.input("Input")[0], conv.input("Filter")[0]
        scale = saver.weight(np.array([np.abs(largest[x]).max()]))
        axis = {"quant_axis": CHANNEL_AXIS[conv.type]}
        for name, kind, inputs, output, more in (
            (
                x,
                "fake_quantize_dequantize_moving_average_abs_max",
                {"InScale": [scale]},
                scale,
                {"is_test": True},
            ),
            (weights, "fake_channel_wise_quantize_dequantize_abs_max", {}, saver.fresh("s"), axis),
        ):
            made = saver.fresh("quantised")
            for fresh in {made, output} - set(block.vars):
                block.create_var(name=fresh, dtype="float32")
            at = next(i for i, op in enumerate(block.ops) if op.idx == conv.idx)
            block._insert_op(
                at,
                type=kind,
                inputs={"X": [name]} | inputs,
                outputs={"Out": [made], "OutScale": [output]},
                attrs=attributes | more,
            )
            conv.desc._rename_input(name, made)
    (target / "inference.pdmodel").write_bytes(program.desc.serialize_to_string())
    kept = [v for v in program.list_vars() if v.persistable and v.name not in ("feed", "fetch")]
    static.io.save_vars(executor, str(target), program, vars=kept, filename="inference.pdiparams")


def main(folder: Path, detector: Path, picture: Path) -> None:
    paddle.enable_static()
    wanted = [(form, *setting) for form, settings in SETTINGS.items() for setting in settings]
    with paddle.pir_utils.OldIrGuard():
        for one in wanted:
            with static.scope_guard(static.Scope()):
                save_own(one[0], folder / "-".join(map(str, one)), *one[1:])
        pixels = cv2.resize(cv2.imread(str(picture)), (320, 320))
        mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
        values = ((pixels / 255 - mean) / std).transpose(2, 0, 1)[None].astype(np.float32)
        (folder / "inserted").mkdir(parents=True)
        np.save(folder / "values.npy", values)
        save_inserted(folder / "inserted", detector, values)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))

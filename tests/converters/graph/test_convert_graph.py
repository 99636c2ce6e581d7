"""The graph passes compute the same as before, borders included."""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
from cases import cases
from hypothesis import given
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, checker, helper, numpy_helper, parser

from ppocr_converters.graph import edit as graph
from ppocr_converters.graph.compile import tidy

Floats = npt.NDArray[np.float32]
CHANNELS = 4


def make(nodes: str, weights: dict[str, Floats], answer: str = "n, c, h, w") -> ModelProto:
    """A network of nodes in ONNX's text form, from x to y."""
    text = f"g (float[n, {CHANNELS}, h, w] x) => (float[{answer}] y) {{ {nodes} }}"
    made = parser.parse_model(f'<ir_version: 7, opset_import: ["": 14]> {text}')
    made.graph.initializer.extend(numpy_helper.from_array(v, name) for name, v in weights.items())
    checker.check_model(made)
    return made


def run(model: ModelProto, x: Floats) -> Floats:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    result: Floats = session.run(None, {"x": x})[0]
    return result


def kinds(model: ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


def floats(rng: np.random.Generator, *shape: int) -> Floats:
    return rng.normal(size=shape).astype(np.float32)


def tidied(model: ModelProto, *shape: int, bound: float = 1e-5) -> list[str]:
    """The operators of a tidied network, which answers noise of this shape as before."""
    x, tidy_model = floats(np.random.default_rng(8), *shape), tidy(model)
    checker.check_model(tidy_model)
    expected = run(model, x)
    bound *= max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(run(tidy_model, x), expected, atol=bound, rtol=1e-4)
    return kinds(tidy_model)


@given(
    seed=st.integers(0, 2**31),
    before=st.lists(st.sampled_from(["Mul", "Add", "MulC", "AddC", "BN"]), max_size=3),
    after=st.lists(st.sampled_from(["Mul", "Add", "MulC", "AddC", "BN"]), max_size=3),
    pad=st.integers(0, 1),
    group=st.sampled_from([1, 2, CHANNELS]),
    op_type=st.sampled_from(["Conv", "ConvTranspose"]),
)
def test_folding_around_a_convolution_is_exact(seed, before, after, pad, group, op_type):
    rng = np.random.default_rng(seed)
    group = 1 if op_type == "ConvTranspose" else group
    weights = {"w": floats(rng, CHANNELS, CHANNELS // group, 3, 3)}
    nodes, name = [], "x"
    for index, step in enumerate([*before, "Conv", *after]):
        target = f"t{index}"
        if step == "Conv":
            pads = f"pads = [{pad}, {pad}, {pad}, {pad}], kernel_shape = [3, 3]"
            nodes.append(f"{target} = {op_type} <group = {group}, {pads}> ({name}, w)")
        elif step == "BN":
            parts = [f"{part}{index}" for part in ("g", "b", "m", "v")]
            weights |= {part: floats(rng, CHANNELS) for part in parts}
            weights[parts[3]] = np.abs(weights[parts[3]]) + np.float32(0.5)
            nodes.append(f"{target} = BatchNormalization ({name}, {', '.join(parts)})")
        else:
            shape = (1, CHANNELS, 1, 1) if step.endswith("C") else (1,)
            weights[f"c{index}"] = floats(rng, *shape)
            order = [name, f"c{index}"] if index % 2 else [f"c{index}", name]
            nodes.append(f"{target} = {step[:3]} ({', '.join(order)})")
        name = target
    left = tidied(make("\n".join([*nodes, f"y = Relu ({name})"]), weights), 2, 4, 5, 7, bound=1e-4)
    assert left[-2:] == [op_type, "Relu"]
    if op_type == "Conv":
        assert len(left) == 2 or (pad and len(left) == 2 + min(len(before), 1)) or len(before) == 1


GELU = """
    d = Div (x, root)  e = Erf (d)  a = Add (e, one)  m = Mul (x, a)  g = Mul (m, half)
    y = Conv (g, w)
"""
SHARED = "a = Conv (x, w)  b = Conv (x, w)  c = Mul (a, s)  y = Add (b, c)"
UNREAD = (
    "a, unread = Split <axis = 1> (x)  b = Relu (a)  y = ConvTranspose <strides = [2, 2]> (b, v)"
)


@pytest.mark.parametrize(
    ("nodes", "left"),
    [
        ("a = Conv (x, w)  b = Mul (a, s)  y = Add (a, b)", ["Conv", "Mul", "Add"]),
        (GELU, ["Div", "Erf", "Add", "Mul", "Mul", "Conv"]),
        (SHARED, ["Conv", "Conv", "Add"]),
        ("a = Relu (x)  b = Transpose <perm = [0, 2, 1]> (s3)  y = Neg (a)", ["Relu", "Neg"]),
        (UNREAD, ["Split", "Relu", "ConvTranspose"]),
    ],
    ids=[
        "a scale that two read is not folded",
        "GELU before a convolution stays whole",
        "weights that two convolutions share are not spoilt",
        "a transposition that nobody reads goes",
        "an output that nobody reads",
    ],
)
def test_what_is_left_computes_the_same(nodes, left):
    rng, numbers = np.random.default_rng(3), {"root": np.sqrt(2), "one": 1, "half": 0.5, "s": 0.7}
    weights = {name: np.array(value, np.float32) for name, value in numbers.items()}
    weights |= {
        "w": floats(rng, CHANNELS, CHANNELS, 1, 1),
        "v": floats(rng, CHANNELS // 2, 1, 2, 2),
    }
    weights |= {"s3": floats(rng, 1, 2, 3)}
    assert tidied(make(nodes, weights), 1, CHANNELS, 2, 2) == left


def test_constants_become_weights_and_what_nobody_needs_goes():
    nodes = "one = Constant <value = float[1] {1.0}> ()  a = Mul (x, one)  unused = Relu (x)"
    model = tidy(make(f"{nodes}  y = Relu (a)", {}))
    assert kinds(model) == ["Relu"]
    assert not model.graph.initializer
    assert model.graph.node[0].input == ["x"]


def test_a_multiplication_by_one_that_widens_the_shape_stays():
    ones = {"one": np.ones((1, 1, 1, 1, 1), np.float32)}
    model = make("a = Mul (x, one)  y = Relu (a)", ones, "a, b, c, d, e")
    assert kinds(tidy(model)) == ["Mul", "Relu"]


def test_opset_is_that_of_the_standard_domain():
    model = make("y = Relu (x)", {})
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    assert graph.opset(model) == 14


def head(between: str = "Relu", channels: int = 1, **given: Any) -> ModelProto:
    """The end of a detector: each transposed convolution makes 2x2 pixels of one."""
    rng = np.random.default_rng(7)
    shapes = {"w1": (CHANNELS, 5, 2, 2), "b1": (5,), "w2": (5, channels, 2, 2), "b2": (channels,)}
    how = ", ".join(f"{name} = {value}" for name, value in {"strides": [2, 2], **given}.items())
    nodes = f"a = ConvTranspose <{how}> (x, w1, b1)  b = {between} (a)"
    weights = {name: floats(rng, *shape) for name, shape in shapes.items()}
    return make(f"{nodes}  y = ConvTranspose <{how}> (b, w2, b2)", weights)


def test_two_upsampling_convolutions_become_two_of_one_pixel():
    assert tidied(head(), 2, CHANNELS, 3, 5) == ["Conv", "Relu", "Conv", "DepthToSpace"]


@pytest.mark.parametrize(("between", "channels", "given"), cases(__file__)["ends"])
def test_any_other_end_of_a_detector_is_left_as_it_is(between, channels, given):
    model = head(between, channels, **given)
    assert kinds(tidy(model)) == kinds(model)


def test_a_map_that_is_read_elsewhere_too_is_left_as_it_is():
    model = head()
    model.graph.node.append(helper.make_node("Neg", ["b"], ["c"]))
    model.graph.output.append(helper.make_tensor_value_info("c", TensorProto.FLOAT, None))
    assert kinds(tidy(model)) == kinds(model)

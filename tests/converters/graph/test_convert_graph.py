"""The graph passes compute the same as before, borders included."""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
from cases import cases
from hypothesis import given
from hypothesis import strategies as st
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper

from ppocr_converters.graph import edit as graph
from ppocr_converters.graph.compile import tidy

Weights = dict[str, npt.NDArray[np.float32]]
CHANNELS = 4


def make(nodes: list[NodeProto], weights: Weights, rank: int = 4) -> ModelProto:
    made = helper.make_model(
        helper.make_graph(
            nodes,
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, CHANNELS, None, None])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * rank)],
            [numpy_helper.from_array(value, name) for name, value in weights.items()],
        ),
        opset_imports=[helper.make_opsetid("", 14)],
        ir_version=7,
    )
    checker.check_model(made)
    return made


def nodes_of(text: str, **attributes: Any) -> list[NodeProto]:
    """Nodes as in "Mul x s > a; Conv a w > y"; the attributes are those of convolutions."""
    nodes = []
    for one in text.split(";"):
        kind, *names = one.replace(">", "").split()
        given = attributes if "Conv" in kind else {}
        nodes.append(helper.make_node(kind, names[:-1], names[-1:], **given))
    return nodes


def run(model: ModelProto, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    result: npt.NDArray[np.float32] = session.run(None, {"x": x})[0]
    return result


def kinds(model: ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


def floats(rng: np.random.Generator, *shape: int) -> npt.NDArray[np.float32]:
    return rng.normal(size=shape).astype(np.float32)


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
    if op_type == "ConvTranspose":
        group = 1
    weights: Weights = {"w": floats(rng, CHANNELS, CHANNELS // group, 3, 3)}
    nodes = []
    name = "x"
    for index, step in enumerate([*before, "Conv", *after, "Relu"]):
        target = "y" if step == "Relu" else f"t{index}"
        if step == "Conv":
            attributes = {"group": group, "pads": [pad] * 4, "kernel_shape": [3, 3]}
            nodes.append(helper.make_node(op_type, [name, "w"], [target], **attributes))
        elif step == "Relu":
            nodes.append(helper.make_node("Relu", [name], [target]))
        elif step == "BN":
            names = [f"{part}{index}" for part in ("g", "b", "m", "v")]
            weights |= {n: floats(rng, CHANNELS) for n in names}
            weights[names[3]] = np.abs(weights[names[3]]) + np.float32(0.5)
            nodes.append(helper.make_node("BatchNormalization", [name, *names], [target]))
        else:
            shape = (1, CHANNELS, 1, 1) if step.endswith("C") else (1,)
            weights[f"c{index}"] = floats(rng, *shape)
            order = [name, f"c{index}"] if index % 2 else [f"c{index}", name]
            nodes.append(helper.make_node(step[:3], order, [target]))
        name = target
    model = make(nodes, weights)
    folded = tidy(model)
    checker.check_model(folded)
    x = floats(rng, 2, CHANNELS, 5, 7)
    expected = run(model, x)
    bound = 1e-4 * max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(run(folded, x), expected, atol=bound, rtol=1e-4)
    left = kinds(folded)
    assert left[-2:] == [op_type, "Relu"]
    if op_type == "Conv":
        assert len(left) == 2 or (pad and len(left) == 2 + min(len(before), 1)) or len(before) == 1


def test_a_scale_that_two_read_is_not_folded():
    rng = np.random.default_rng(2)
    nodes = nodes_of("Conv x w > a; Mul a s > b; Add a b > y")
    model = make(nodes, {"w": floats(rng, 3, CHANNELS, 1, 1), "s": floats(rng, 1)})
    assert kinds(tidy(model)) == ["Conv", "Mul", "Add"]


def test_gelu_before_a_convolution_stays_whole():
    rng = np.random.default_rng(5)
    gelu = "Identity x > i; Div i root > d; Erf d > e; Add e one > a; Mul i a > m; Mul m half > g"
    nodes = nodes_of(f"{gelu}; Conv g w > y")
    numbers = {"root": np.sqrt(2), "one": 1, "half": 0.5}
    weights = {name: np.array(value, np.float32) for name, value in numbers.items()}
    model = make(nodes, {"w": floats(rng, 3, CHANNELS, 1, 1), **weights})
    tidied = tidy(model)
    assert kinds(tidied) == ["Div", "Erf", "Add", "Mul", "Mul", "Conv"]
    x = floats(rng, 1, CHANNELS, 2, 2)
    np.testing.assert_allclose(run(tidied, x), run(model, x), atol=1e-5)


def test_weights_that_two_convolutions_share_are_not_spoilt():
    rng = np.random.default_rng(3)
    nodes = nodes_of("Conv x w > a; Conv x w > b; Mul a s > c; Add b c > y")
    model = make(nodes, {"w": floats(rng, 3, CHANNELS, 1, 1), "s": floats(rng, 1)})
    x = floats(rng, 1, CHANNELS, 2, 2)
    folded = tidy(model)
    assert kinds(folded) == ["Conv", "Conv", "Add"]
    np.testing.assert_allclose(run(folded, x), run(model, x), atol=1e-5)


def test_constants_become_weights_and_what_nobody_needs_goes():
    value = numpy_helper.from_array(np.array([1.0], np.float32), "one")
    constant = helper.make_node("Constant", [], ["one"], value=value)
    nodes = nodes_of("Mul x one > a; Relu x > unused; Relu a > y")
    model = tidy(make([constant, *nodes], {}))
    assert kinds(model) == ["Relu"]
    assert not model.graph.initializer
    assert model.graph.node[0].input == ["x"]


def test_a_multiplication_by_one_that_widens_the_shape_stays():
    ones = {"one": np.ones((1, 1, 1, 1, 1), np.float32)}
    assert kinds(tidy(make(nodes_of("Mul x one > a; Relu a > y"), ones, rank=5))) == ["Mul", "Relu"]


def test_opset_is_that_of_the_standard_domain():
    model = make([helper.make_node("Relu", ["x"], ["y"])], {})
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    assert graph.opset(model) == 14


def head(between: str = "Relu", channels: int = 1, **given: list[int] | int) -> ModelProto:
    """The end of a detector: each transposed convolution makes 2x2 pixels of one."""
    rng = np.random.default_rng(7)
    shapes = {"w1": (CHANNELS, 5, 2, 2), "b1": (5,), "w2": (5, channels, 2, 2), "b2": (channels,)}
    blocks = {"strides": [2, 2], **given}
    convolutions = f"ConvTranspose x w1 b1 > a; {between} a > b; ConvTranspose b w2 b2 > y"
    nodes = nodes_of(convolutions, **blocks)
    return make(nodes, {name: floats(rng, *shape) for name, shape in shapes.items()})


def test_two_upsampling_convolutions_become_two_of_one_pixel():
    model, x = head(), floats(np.random.default_rng(8), 2, CHANNELS, 3, 5)
    flat = tidy(model)
    assert kinds(flat) == ["Conv", "Relu", "Conv", "DepthToSpace"]
    np.testing.assert_allclose(run(flat, x), run(model, x), atol=1e-5)


@pytest.mark.parametrize(("between", "channels", "given"), cases(__file__)["ends"])
def test_any_other_end_of_a_detector_is_left_as_it_is(between, channels, given):
    model = head(between, channels, **given)
    assert kinds(tidy(model)) == kinds(model)


def test_a_convolution_after_a_node_with_an_output_that_nobody_reads_is_left_as_it_is():
    rng = np.random.default_rng(9)
    split = helper.make_node("Split", ["x"], ["a", "unread"], axis=1)
    nodes = [split, *nodes_of("Relu a > b; ConvTranspose b w v > y", strides=[2, 2])]
    weights = {"w": floats(rng, CHANNELS // 2, 1, 2, 2), "v": floats(rng, 1)}
    assert kinds(tidy(make(nodes, weights))) == ["Split", "Relu", "ConvTranspose"]


def test_a_map_that_is_read_elsewhere_too_is_left_as_it_is():
    model = head()
    model.graph.node.append(helper.make_node("Neg", ["b"], ["c"]))
    model.graph.output.append(helper.make_tensor_value_info("c", TensorProto.FLOAT, None))
    assert kinds(tidy(model)) == kinds(model)

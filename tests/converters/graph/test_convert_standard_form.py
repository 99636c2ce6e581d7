"""Networks of any exporter: what `check` passes is compiled and proven, the rest is named."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from checking import check
from onnx import ModelProto, helper, numpy_helper, parser
from work_folders import V4, work_of

from ppocr_converters.cli import main
from ppocr_converters.errors import ModelError
from ppocr_converters.graph.compile import compile_model
from ppocr_converters.graph.kinds import detect_kind
from ppocr_converters.graph.onnx_model import OnnxFile, Tensor, load_onnx, metadata
from ppocr_converters.paddle.inference_yml import OwnSettings
from ppocr_converters.proof.tensors import compare_file
from ppocr_converters.repository.models import ModelSource

FILE = Path(__file__)  # whose digest is looked at, nothing else
CLASSES = {"det": 1, "rec": 40, "cls": 2, "page_orientation": 4}
CHARACTERS = [chr(0x4E00 + index) for index in range(38)]
SIZES = {
    "det": "n, 3, h, w",
    "rec": "n, 3, 48, w",
    "cls": "n, 3, 48, 192",
    "page_orientation": "n, 3, 224, 224",
}
TYPES = {"float": 1, "uint8": 2, "float16": 10, "double": 11}


def network(
    kind: str,
    *,
    opset: int = 14,
    shape: str = "",
    dtype: str = "float",
    sure: bool = True,
    declared: bool = True,
    first: str = "",
) -> ModelProto:
    """A small network, of the kinds' own answers unless it is not `sure` (no softmax, no sigmoid).

    Its input may be of another shape, the shape of its output not declared, or another output
    `first`.
    """
    classes, map_of = CLASSES[kind], kind == "det"
    kernel = [3, 3] if map_of else [48, 4]
    how = f"strides = {[1, 1] if map_of else kernel}, pads = {[1, 1, 1, 1] if map_of else [0] * 4}"
    steps = {
        "det": "s = Identity (conv)",
        "rec": "f = Reshape (conv, flat)  s = Transpose <perm = [0, 2, 1]> (f)",
    }.get(kind, "f = GlobalAveragePool (conv)  s = Reshape (f, two)")
    sure_of = {"det": "Sigmoid", "rec": "Softmax <axis = 2>"}.get(kind, "Softmax <axis = 1>")
    answer = {"det": "n, 1, a, b", "rec": "n, t, 40"}.get(kind, f"n, {classes}")
    other = ("other = Identity (conv)", f"float[{first}] other, ") if first else ("", "")
    model = parser.parse_model(f"""<ir_version: 10, opset_import: ["": {opset}]>
        tiny ({dtype}[{shape or SIZES[kind]}] x)
            => ({other[1]}{dtype}[{answer if declared else ""}] y) {{
        x32 = Cast <to = 1> (x)
        conv = Conv <{how}> (x32, w)
        {steps}
        last = {sure_of if sure else "Identity"} (s)
        y = Cast <to = {TYPES[dtype]}> (last)
        {other[0]}
    }}""")
    kernels = np.random.default_rng(3).normal(0, 0.3, (classes, 3, *kernel)).astype(np.float32)
    weights = {"w": kernels, "flat": np.array([0, classes, -1]), "two": np.array([0, -1])}
    model.graph.initializer.extend(numpy_helper.from_array(v, name) for name, v in weights.items())
    return model


@pytest.mark.parametrize(
    ("kind", "form", "said"),
    [
        *(("rec", {"opset": old}, f"opset {old} becomes 14") for old in (9, 10, 11)),
        *(("rec", {"opset": new}, None) for new in (13, 18, 21, 23)),
        ("det", {"opset": 9}, "opset 9 becomes 14"),
        ("cls", {"opset": 9, "shape": "n, 3, h, w"}, "its height is free"),
        ("det", {"shape": "1, 3, 960, 960"}, "batch 1 and height 960 and width 960, which it"),
        ("rec", {"shape": "1, 3, 48, 320"}, "batch 1 and width 320, which it declares, are set"),
        ("rec", {"sure": False}, "Softmax is added"),
        ("cls", {"sure": False}, "Softmax is added"),
        ("page_orientation", {}, None),
        ("page_orientation", {"sure": False}, "Softmax is added"),
        ("page_orientation", {"shape": "n, 3, h, w"}, "PaddleOCR's of 224 pixels"),
        ("det", {"sure": False}, "Sigmoid is added"),
        ("rec", {"dtype": "float16"}, "its input is cast from float16; its output is cast"),
        ("det", {"dtype": "float16", "sure": False}, "its input is cast from float16"),
        ("rec", {"dtype": "double"}, "its input is cast from float64"),
        ("rec", {"declared": False}, None),
        ("det", {"declared": False}, None),
        ("rec", {"first": "n, 40, 1, w"}, "the output y is served, not other"),
    ],
)
def test_what_check_passes_is_compiled_and_proven(tmp_path, kind, form, said):
    source, compiled = tmp_path / "source.onnx", OnnxFile(tmp_path / "compiled.onnx")
    given = network(kind, **form)
    # Of a classifier these are its labels; of a recogniser what lies beside it comes first.
    helper.set_model_props(given, {"character": "0\n180"})
    onnx.save(given, source)
    (tmp_path / "dictionary.txt").write_text("\n".join(CHARACTERS), "utf-8")
    report = check(source)
    assert (report.kind, report.problems) == (kind, [])
    assert said is None or said in "; ".join(report.notes)
    own = OwnSettings(characters=tuple(CHARACTERS) * (kind == "rec"))
    model = compile_model(load_onnx(source), ModelSource("m", source, own=own))
    onnx.save(model, compiled.path)
    proof = compare_file(compiled, source).require(compiled)
    assert 0.5 / CLASSES[kind] <= proof.max_probability <= 1.001
    half = form.get("dtype") == "float16"
    assert metadata(model).get("ppocr_precision") == ("fp16" if half else None)


def test_a_height_that_nothing_says_is_asked_for(repository, tmp_path, capsys):
    source = tmp_path / "rec.onnx"
    onnx.save(network("rec", shape="n, 3, h, w"), source)
    (tmp_path / "dictionary.txt").write_text("\n".join(CHARACTERS), "utf-8")
    assert "give it with --height (48" in check(source).problems[0]
    assert check(source, height=48).problems == []
    wrong = "cannot be run at other sizes than it was exported for"
    assert wrong in check(source, height=32).problems[0]
    work = work_of(repository, tmp_path / "work")
    for verb in (["compile", str(source)], ["build", "--work", str(work), "--rec", str(source)]):
        command = [*verb, "--out", str(tmp_path / "out"), *(V4 if verb[0] == "build" else ())]
        assert main(command) == 1
        assert "give it with --height (48" in capsys.readouterr().err
        assert main([*command, "--height", "32"]) == 1
        assert wrong in capsys.readouterr().err


def test_a_size_that_the_graph_was_made_for_is_told_from_a_declared_one():
    model = network("det", shape="1, 3, 64, 64")
    fixed = numpy_helper.from_array(np.array([1, 1, 64, 64]), "fixed")
    model.graph.initializer.append(fixed)
    model.graph.node[-1].input[0] = "shaped"
    model.graph.node.insert(4, helper.make_node("Reshape", ["last", "fixed"], ["shaped"]))
    with pytest.raises(ModelError, match="m: its graph cannot be run at other sizes"):
        compile_model(model, ModelSource("m", FILE))


def test_an_input_of_bytes_is_refused():
    with pytest.raises(ModelError, match="not one of float32, float16, float64; export"):
        compile_model(network("det", dtype="uint8"), ModelSource("m", FILE))


def test_a_page_is_shown_in_one_size_alone():
    model = network("page_orientation", shape="n, 3, 48, 192")
    with pytest.raises(ModelError, match=r"a classifier 48 pixels high .* take 224x224"):
        compile_model(model, ModelSource("m", FILE))


PICTURE = ("n", 3, "h", "w")


@pytest.mark.parametrize(
    ("given", "answered", "said"),
    [
        ([("n", 3, 224, 224)], [("n", 2)], "whole pictures, 224 high, as of tables"),
        ([("n", 3, 224, 224)], [("n", 1000)], "it has 1000 classes"),
        ([PICTURE], [PICTURE], "a network that unwarps pages"),
        ([("n", 3, 488, 488)], [("n", "t", 8), ("n", "t", 50)], "a table recogniser"),
        ([PICTURE, ("n", 2)], [("k", 6), ("k",)], "it takes"),
        ([(1, 3, 640, 640)], [(1, 300, 6)], "a layout detector or table recogniser"),
        ([("n", 1, 384, 384)], [("n", "t", 50000)], "a formula recogniser"),
        ([PICTURE], [("n", 3, 2, 2, 2)], "takes one picture"),
        ([(1, 5)], [(1, 5)], "looks like a picture classifier"),
    ],
)
def test_models_that_do_not_belong_are_named(given, answered, said):
    def tensors(shapes: list[tuple[Any, ...]]) -> list[Tensor]:
        return [Tensor(f"t{at}", "float32", shape) for at, shape in enumerate(shapes)]

    with pytest.raises(ModelError, match=said):
        detect_kind(tensors(given), tensors(answered))
    scaled = [*tensors([PICTURE]), Tensor("scale_factor", "float32", ("n", 2))]
    with pytest.raises(ModelError, match="a layout or object detector"):
        detect_kind(scaled, tensors(answered))

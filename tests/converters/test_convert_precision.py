"""Lower precisions: what is made, what stays exact, and that only a kept proof lets it through."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
from paths import SAMPLES
from work_folders import CLS, DET, REC, V4

from ppocr_converters.cli import main
from ppocr_converters.errors import ModelError
from ppocr_converters.graph import edit as graph
from ppocr_converters.graph.compile import PREFIX
from ppocr_converters.graph.onnx_model import OnnxFile, inputs, load_onnx, metadata, outputs
from ppocr_converters.graph.precision import (
    Calibration,
    calibration_feeds,
    lower_model,
    name_nodes,
    to_int8,
)
from ppocr_converters.proof.networks import compiled_network, normalise, onnx_network
from ppocr_converters.proof.tensors import compare_file
from ppocr_engine.spec import EngineSpec


def det_feeds(count: int = 2):
    rng = np.random.default_rng(1)
    for _ in range(count):
        yield {"DET_INPUT": rng.integers(0, 256, (1, 64, 96, 3), dtype=np.uint8)}


@pytest.fixture(scope="module")
def half(built, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("half") / "model.onnx"
    onnx.save(lower_model(load_onnx(built / DET / "model.onnx")), path)
    return path


def test_float16_has_the_same_ends_and_half_the_size(built, half):
    before, after = load_onnx(built / DET / "model.onnx"), load_onnx(half)
    assert (inputs(after), outputs(after)) == (inputs(before), outputs(before))
    assert metadata(after) == metadata(before) | {"ppocr_precision": "fp16"}
    whole = (built / DET / "model.onnx").stat().st_size
    assert half.stat().st_size < 0.6 * whole
    own = [w for w in after.graph.initializer if w.name.startswith(f"{PREFIX}mean")]
    assert [w.data_type for w in own] == [onnx.TensorProto.FLOAT]


def test_float16_is_proven_within_its_own_bounds(built, half):
    proof = compare_file(OnnxFile(half), built / DET / "converted.onnx")
    assert (proof.precision, proof.problems) == ("fp16", [])
    assert 0 < proof.max_difference < proof.tolerance.max_difference
    strict = compare_file(
        OnnxFile(half), built / DET / "converted.onnx", bounds=["max_difference=1e-6"]
    )
    assert "the bound is 1e-06" in strict.problems[0]


@pytest.mark.parametrize(("device", "activation"), [("cpu", np.uint8), ("gpu", np.int8)])
def test_int8_has_the_form_of_its_device(built, device, activation):
    model = to_int8(load_onnx(built / DET / "model.onnx"), det_feeds(), device)
    known = graph.constants(model)
    count = Counter(node.op_type for node in model.graph.node)
    assert count["QuantizeLinear"] > 20
    for node in model.graph.node:
        if node.op_type == "QuantizeLinear":
            zero = known[node.input[2]]
            assert zero.dtype == activation
            assert device == "cpu" or not zero.any()  # TensorRT: symmetric
    writers = graph.writers(model)
    weights = [
        known[writers[node.input[1]].input[0]]
        for node in model.graph.node
        if node.op_type == "Conv" and node.input[1] in writers
    ]
    assert weights
    assert all(weight.dtype == np.int8 for weight in weights)
    kept = [n.input[0] for n in model.graph.node if n.op_type == "DequantizeLinear"]
    kinds = {str(known[name].dtype) for name in kept if name in known}
    assert kinds == ({"int8"} if device == "gpu" else {"int8", "int32"})  # TensorRT: no int32


def test_int8_leaves_convolutions_of_few_channels_and_the_added_nodes_alone(built):
    before = name_nodes(load_onnx(built / DET / "model.onnx"))
    model, weights = to_int8(before, det_feeds(), "cpu"), graph.constants(before)
    old, new = ({n.name: n for n in m.graph.node if n.op_type == "Conv"} for m in (before, model))
    channels: dict[bool, list[int]] = {True: [], False: []}
    for name, node in old.items():
        quantised = new[name].input[1] not in weights
        channels[quantised].append(min(weights[node.input[1]].shape[:2]))
    assert min(channels[True]) >= 96
    assert max(channels[False]) < 96  # 1 of a depthwise one
    assert {n.op_type for n in model.graph.node if "DET_INPUT" in n.input} == {"Transpose"}


def test_int8_is_calibrated_with_the_plan_and_the_options_that_are_served(built):
    served = {"rec_height": "48", "rec_buckets": "640,3200", "rec_batch_size": "4"}
    served |= {"det_limit_side_len": "320"}
    said = Calibration("cpu", built / DET / "model.onnx", served, [SAMPLES / "form_mixed.png"])
    det, rec = (
        list(calibration_feeds(load_onnx(built / name / "model.onnx"), said)) for name in (DET, REC)
    )
    assert [max(feeds["DET_INPUT"].shape[1:3]) for feeds in det] == [320]
    shapes = [feeds["CROPS"].shape for feeds in rec]
    assert {shape[2] for shape in shapes} <= {640, 3200}
    assert max(shape[0] for shape in shapes) == 4
    assert sum(shape[0] for shape in shapes) > 20


def test_a_classifier_of_another_kind_is_refused(models, tmp_path):
    from ppocr_converters.catalogue.entries import catalogue
    from ppocr_converters.graph.compile import compile_model
    from ppocr_converters.paddle.convert import convert
    from ppocr_converters.repository.models import ModelSource

    network = load_onnx(convert(models / CLS, tmp_path / "c.onnx"))
    with pytest.raises(ModelError, match=r"64 pixels high is not known .*48x192 or 80x160"):
        compile_model(network, ModelSource("cls", tmp_path / "c.onnx", height=64))
    stretched = compile_model(network, ModelSource("cls", tmp_path / "c.onnx", height=80))
    assert [str(tensor) for tensor in inputs(stretched)] == ["CROPS uint8 [batch, 80, 160, 3]"]
    # It learnt red first: the same as the network on pixels whose colours are swapped before.
    onnx.save(stretched, tmp_path / "m.onnx")
    crops = np.random.default_rng(2).integers(0, 256, (3, 80, 160, 3), dtype=np.uint8)
    found = compiled_network(tmp_path / "m.onnx", EngineSpec(threads=1))({"CROPS": crops})
    values = normalise(crops[..., ::-1], catalogue().kinds["cls"])
    expected = onnx_network(tmp_path / "c.onnx")(values)
    np.testing.assert_array_equal(found[0][:, 0], expected.argmax(axis=1))
    np.testing.assert_allclose(found[1][:, 0], expected.max(axis=1), atol=1e-5)
    assert compare_file(OnnxFile(tmp_path / "m.onnx"), tmp_path / "c.onnx").problems == []


def test_every_difference_is_named(built, tmp_path, capsys):
    """A recogniser whose characters are each their neighbour: forced differences, exit code 1."""
    model = load_onnx(built / REC / "model.onnx")
    last = next(i for i in model.graph.initializer if list(i.dims) == [120, 6625])
    weight = onnx.numpy_helper.to_array(last).copy()
    weight[:, 1:] = np.roll(weight[:, 1:], 1, axis=1)
    last.CopyFrom(onnx.numpy_helper.from_array(weight, last.name))
    onnx.save(model, tmp_path / "m.onnx")
    code = main(
        [
            *("prove", "--quiet", "--json", "--images", "samples/poster_zh.jpg"),
            *("--det", str(built / DET / "model.onnx"), str(built / DET / "converted.onnx")),
            *("--rec", str(tmp_path / "m.onnx"), str(built / REC / "converted.onnx")),
        ]
    )
    assert code == 1
    told = capsys.readouterr()
    facts = json.loads(told.out)
    assert "texts differ; allowed are 0.0%" in told.err
    assert facts["proven"] is False
    reading = facts["reading"]
    assert reading["other_boxes"] == 0
    assert reading["other_texts"] == reading["lines"] == len(reading["differences"]) > 5
    assert reading["differences"][0] in told.err
    assert reading["differences"][0].startswith("poster_zh.jpg, crop: line 1: ")
    assert facts["versions"]["onnxruntime"]


def test_an_engine_that_is_not_here_is_named(built, capsys):
    det = built / DET
    arguments = ["--det", str(det / "model.onnx"), str(det / "converted.onnx"), "--quiet"]
    assert main(["prove", *arguments, "--engine", "tensorrt"]) == 1
    assert "needs TensorrtExecutionProvider, CUDAExecutionProvider" in capsys.readouterr().err


@pytest.mark.paddle
def test_a_precision_that_is_not_proven_builds_nothing(repository, tmp_path, capsys):
    out = tmp_path / "repository"
    arguments = ["build", *V4, "--out", str(out), "--work", str(repository.parent), "--quiet"]
    bound = ["--tolerance", "max_difference=1e-7"]
    assert main([*arguments, "--det-precision", "fp16", *bound]) == 1
    assert "the bound is 1e-07" in capsys.readouterr().err
    assert not out.exists()


def test_nothing_is_said_of_float32_where_a_file_is_of_another_precision():
    from types import SimpleNamespace

    from ppocr_converters.commands.build import precision_lines

    rows = [{"model": name, "kind": "KIND_CPU", "precision": ""} for name in ("det", "rec")]

    def said(rec: str) -> str:
        proofs = {"det": {"precision": "fp32"}, "rec": {"precision": rec}}
        built = SimpleNamespace(manifest={"summary": rows}, proofs=proofs)
        return "".join(precision_lines(built))  # type: ignore[arg-type]

    assert "computes in float32" in said("fp32")
    assert said("int8") == ""

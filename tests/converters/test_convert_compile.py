"""Compiled models: what they take, what they answer, and that it is exactly what it was."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import parser
from work_folders import DET, REC

from ppocr_converters.catalogue.entries import catalogue
from ppocr_converters.errors import DictionaryError, ModelError
from ppocr_converters.graph.compile import compile_model
from ppocr_converters.graph.dictionary import read_dictionary
from ppocr_converters.graph.onnx_model import inputs, load_onnx, metadata, outputs
from ppocr_converters.paddle.inference_yml import OwnSettings
from ppocr_converters.proof.networks import Ints, compiled_network, mask, normalise, onnx_network
from ppocr_converters.proof.tensors import random_pictures
from ppocr_converters.repository.models import ModelSource
from ppocr_engine.spec import EngineSpec

KINDS = catalogue().kinds
OPEN = """
import sys, onnxruntime
options = onnxruntime.SessionOptions()
options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
"""


def pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).integers(0, 256, shape, dtype=np.uint8)


def recogniser(built: Path) -> Callable[[np.ndarray, np.ndarray], list[np.ndarray]]:
    network = compiled_network(built / REC / "model.onnx", EngineSpec(threads=1))
    return lambda crops, widths: network({"CROPS": crops, "WIDTHS": widths})


@pytest.mark.parametrize("shape", [(1, 64, 96, 3), (3, 64, 160, 3), (1, 416, 320, 3)])
def test_a_compiled_detector_answers_as_its_network(built, shape):
    picture = random_pictures(np.random.default_rng(3), shape)
    raw = onnx_network(built / DET / "converted.onnx")
    compiled = compiled_network(built / DET / "model.onnx", EngineSpec(threads=1))
    expected = raw(normalise(picture, KINDS["det"]))
    assert expected.shape == (shape[0], 1, *shape[1:3])
    (found,) = compiled({"DET_INPUT": picture})
    np.testing.assert_allclose(found, expected[:, 0], atol=1e-4, rtol=0)
    assert expected.max() > 0.9


@pytest.mark.parametrize("shape", [(1, 48, 8, 3), (1, 48, 160, 3), (4, 48, 320, 3)])
def test_a_compiled_recogniser_answers_as_its_network(built, shape):
    crops = random_pictures(np.random.default_rng(3), shape)
    widths = np.array([[shape[2] - 3 * row] for row in range(shape[0])], np.int32)
    raw = onnx_network(built / REC / "converted.onnx")
    indices, probabilities = recogniser(built)(crops, widths)
    expected = raw(mask(normalise(crops, KINDS["rec"]), widths))
    assert indices.dtype == np.int32
    assert probabilities.dtype == np.float32
    np.testing.assert_array_equal(indices, expected.argmax(axis=2))
    np.testing.assert_allclose(probabilities, expected.max(axis=2), atol=5e-5, rtol=0)


def test_columns_beyond_the_width_do_not_matter(built):
    read = recogniser(built)
    widths: Ints = np.array([[100], [37]], np.int32)
    crops = pixels(2, 48, 160, 3)
    other = crops.copy()
    other[0, :, 100:], other[1, :, 37:] = 0, 255
    np.testing.assert_array_equal(read(crops, widths), read(other, widths))
    other[1, :, 36] = 255 - other[1, :, 36]  # the last column that counts
    assert not np.array_equal(read(crops, widths)[1], read(other, widths)[1])
    beyond: Ints = np.array([[9999], [9999]], np.int32)  # is the whole crop
    np.testing.assert_array_equal(read(crops, beyond), read(crops, np.full((2, 1), 160, np.int32)))


def test_the_ends_are_those_of_the_contract(built):
    det, rec = (load_onnx(built / name / "model.onnx") for name in (DET, REC))
    assert [str(t) for t in inputs(det)] == ["DET_INPUT uint8 [batch, height, width, 3]"]
    assert [str(t) for t in outputs(det)] == ["PROBABILITY float32 [batch, map_height, map_width]"]
    assert [str(t) for t in inputs(rec)] == [
        "CROPS uint8 [batch, 48, width, 3]",
        "WIDTHS int32 [batch, 1]",
    ]
    assert [str(t) for t in outputs(rec)] == [
        "INDICES int32 [batch, steps]",
        "PROBABILITIES float32 [batch, steps]",
    ]


def test_the_file_is_portable_and_pinned(built):
    for name in (DET, REC):
        model = load_onnx(built / name / "model.onnx")
        assert {node.domain for node in model.graph.node} == {""}
        assert [(o.domain, o.version) for o in model.opset_import] == [("", 14)]
        assert model.ir_version <= 9


def test_all_a_server_must_know_is_in_the_model(built, models):
    facts = metadata(load_onnx(built / REC / "model.onnx"))
    characters = facts.pop("character").split("\n")
    assert characters == read_dictionary(models / REC / "dictionary.txt")
    assert len(facts.pop("ppocr_source_sha256")) == 64
    assert facts == {
        "ppocr_kind": "rec",
        "ppocr_name": REC,
        "ppocr_mean": "0.5,0.5,0.5",
        "ppocr_std": "0.5,0.5,0.5",
        "ppocr_height": "48",
        "ppocr_classes": str(1 + len(characters) + 1),
        "use_space_char": "true",
    }
    assert metadata(load_onnx(built / DET / "model.onnx"))["ppocr_mean"] == "0.485,0.456,0.406"


@pytest.mark.parametrize("name", [DET, REC])
def test_opening_a_compiled_model_warns_of_nothing(built, name):
    command = [sys.executable, "-c", OPEN, str(built / name / "model.onnx")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize(
    ("file", "given", "error", "reason"),
    [
        (f"{DET}/converted.onnx", {"kind": "rec"}, ModelError, r"\(det\), but was given as rec"),
        (f"{DET}/model.onnx", {}, ModelError, "m is compiled already"),
        (f"{REC}/converted.onnx", {}, DictionaryError, "with m, which has 6625 classes"),
        *(
            (
                f"{REC}/converted.onnx",
                {"own": OwnSettings(characters=("x",) * lines), "space": space},
                DictionaryError,
                rf"= {lines + 1 + space} classes, but the model has 6625",
            )
            for lines, space in ((6622, True), (6624, True), (6623, False))
        ),
    ],
)
def test_a_model_that_is_not_what_it_is_given_as_is_refused(built, file, given, error, reason):
    with pytest.raises(error, match=reason):
        compile_model(load_onnx(built / file), ModelSource("m", built / file, **given))


def test_a_dictionary_in_the_networks_metadata_is_used(built):
    path = built / REC / "converted.onnx"
    network = load_onnx(path)
    onnx.helper.set_model_props(network, {"character": "\n".join(["x"] * 6623)})
    stored = metadata(compile_model(network, ModelSource("m", path)))["character"]
    assert stored.count("x") == 6623


def test_a_network_of_another_kind_is_refused():
    text = '<ir_version: 7, opset_import: ["": 14]> g (float[n, 5] x) => (float[n, 5] y)'
    with pytest.raises(ModelError, match="not a PP-OCR network"):
        compile_model(parser.parse_model(f"{text} {{ y = Relu (x) }}"), ModelSource("m", Path()))


def test_a_damaged_file_is_one_sentence(tmp_path, built):
    damaged = tmp_path / "m.onnx"
    damaged.write_bytes((built / DET / "model.onnx").read_bytes()[:100_000])
    with pytest.raises(ModelError, match="not an ONNX file, or a damaged one"):
        load_onnx(damaged)
    damaged.write_bytes(b"")
    with pytest.raises(ModelError, match="no nodes or no outputs"):
        load_onnx(damaged)


def test_dictionaries_are_read_to_the_letter(tmp_path):
    file = tmp_path / "d.txt"
    file.write_bytes("\ufeffa\r\n\u3000\n \nb\u2028c".encode())
    assert read_dictionary(file) == ["a", "\u3000", " ", "b\u2028c"]
    file.write_bytes(b"a\nb\n")
    assert read_dictionary(file) == ["a", "b"]
    for content, reason in ((b"", "is empty"), (b"\xff\n", "not UTF-8")):
        file.write_bytes(content)
        with pytest.raises(DictionaryError, match=reason):
            read_dictionary(file)

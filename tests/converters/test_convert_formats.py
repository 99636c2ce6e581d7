"""Every form a model comes in, saved by Paddle itself, is found, explained and converted."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from checking import check
from work_folders import CLS, REC

from ppocr_converters.catalogue.fetch import Supply
from ppocr_converters.errors import ModelError
from ppocr_converters.graph.check import check as explain
from ppocr_converters.graph.dictionary import write_dictionary
from ppocr_converters.graph.onnx_model import inputs, load_onnx, outputs
from ppocr_converters.paddle.convert import convert
from ppocr_converters.paddle.inference_yml import read_settings
from ppocr_converters.paddle.model_folder import combined, find_paddle_model
from ppocr_converters.paddle.program import framework, read_program
from ppocr_converters.proof.networks import source_network
from ppocr_converters.repository.models import ModelChoice, build_model, find_model_source

pytestmark = pytest.mark.paddle
SAVE = Path(__file__).parent / "paddle_models" / "forms.py"
NO_PROBABILITIES = "numbers that are no probabilities"


@pytest.fixture(scope="session")
def saved(models, tmp_path_factory) -> Path:
    """The folder of all models that paddle_models/forms.py saves, by their forms."""
    folder = tmp_path_factory.mktemp("saved")
    own = dict.fromkeys(("crnn", "odd", "isnan", "logits", "fixed", "textline"), "")
    sources = {"scattered": models / CLS, "pir": models / REC, **own}
    sources |= {"textline_pir": folder / "textline"}
    wanted = [f"{form}={source}" for form, source in sources.items()]
    command = [sys.executable, "-W", "ignore", str(SAVE), str(folder), *wanted]
    subprocess.run(command, check=True, capture_output=True)
    return folder


def difference(first: Path, second: Path, *shape: int) -> float:
    """The largest difference of two networks' answers to the same random values."""
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    one, other = (source_network(path, {})(values) for path in (first, second))
    assert one.shape == other.shape
    return float(np.abs(one - other).max())


def test_scattered_variables_are_put_together_as_paddle_does(saved, models, tmp_path):
    scattered = saved / "scattered"
    found = find_paddle_model(scattered)
    assert found.is_scattered
    assert len(found.weights) == len(read_program(found.program).weights) == 213
    with combined(found) as weights:
        assert weights.read_bytes() == (models / CLS / "inference.pdiparams").read_bytes()
    assert check(scattered).format.endswith("__model__, one file for each variable")
    onnx_file = convert(scattered, tmp_path / "m.onnx")
    assert difference(scattered, onnx_file, 2, 3, 48, 192) < 1e-4
    lacking = shutil.copytree(scattered, tmp_path / "lacking")
    (lacking / found.weights[5].name).unlink()
    with pytest.raises(ModelError, match=r"lacks 1 of 213 variables, the first is "):
        find_paddle_model(lacking)


@pytest.mark.parametrize("names", [("__model__", "__params__"), ("model", "params")])
def test_older_names_are_found(models, tmp_path, names):
    for new, old in zip(("inference.pdmodel", "inference.pdiparams"), names, strict=True):
        shutil.copy(models / CLS / new, tmp_path / old)
    report = check(tmp_path)
    assert (report.kind, report.weights, report.problems) == ("cls", 213, [])


def test_a_paddle_3_program_converts_with_its_own_tool(saved, models, tmp_path):
    folder = saved / "pir"
    made = load_onnx(convert(folder, tmp_path / "m.onnx"))
    report = check(folder, dictionary=models / REC / "dictionary.txt")
    assert report.format == "Paddle 3 program (PIR): inference.json"
    assert (report.kind, report.classes, report.height) == ("rec", 6625, 48)
    assert (report.notes, report.problems) == (["paddle2onnx 2.1.0 converts it"], [])
    assert (made.producer_name, made.producer_version) == ("paddle2onnx", "2.1.0")
    assert (made.opset_import[0].version, made.ir_version) == (14, 8)
    assert all(isinstance(inputs(made)[0].shape[axis], str) for axis in (0, 3))
    assert difference(folder, tmp_path / "m.onnx", 2, 3, 48, 160) < 1e-4
    assert difference(models / REC, tmp_path / "m.onnx", 1, 3, 48, 320) < 1e-4


def test_what_paddlex_writes_beside_a_model_is_used(saved, models, tmp_path):
    folder = shutil.copytree(saved / "crnn", tmp_path / "crnn")
    characters = [*"0123456789~", "no", "'", '"', "#", ":", "空", *"abcdefghijklmnopqrstu"]
    listed = "\n".join(f"  - {quoted(c)}" for c in characters)
    (folder / "inference.yml").write_text(
        "Global:\n  model_name: own_rec\nPreProcess:\n  transform_ops:\n"
        "  - DecodeImage: {channel_first: false, img_mode: BGR}\n"
        "  - RecResizeImg: {image_shape: [3, 32, 320]}\n"
        f"PostProcess:\n  name: CTCLabelDecode\n  character_dict:\n{listed}\n",
        "utf-8",
    )
    report = check(folder)
    assert (report.characters, report.dictionary, report.problems) == (38, "inference.yml", [])
    source = find_model_source(ModelChoice(str(folder)), tmp_path, kind="rec")
    assert list(source.characters) == characters
    made = build_model(source, tmp_path / "made")
    assert made.manifest["converted"]["producer"] == "paddle2onnx 1.3.1"
    assert made.manifest["compiled"]["metadata"]["ppocr_height"] == "32"
    write_dictionary(folder / "dictionary.txt", characters[:-1])
    said = "37 characters + blank + space = 39 classes, but the model has 40 (one line is missing"
    assert said in check(folder).problems[0]


def quoted(character: str) -> str:
    return "'" + character.replace("'", "''") + "'"


def test_settings_of_another_form_are_refused(tmp_path):
    (tmp_path / "inference.yml").write_text("PreProcess: [1, 2]")
    with pytest.raises(ModelError, match="not of the form that PaddleX writes"):
        read_settings(tmp_path)


def serving_folder(models: Path, tmp_path: Path, fetched: str) -> Path:
    inner = tmp_path / "serving_server"
    shutil.copytree(models / CLS, inner)
    (inner / "serving_server_conf.prototxt").write_text(
        'feed_var { name: "x" alias_name: "picture" feed_type: 1 shape: 3 shape: 48 shape: 192 }\n'
        f'fetch_var {{ name: "{fetched}" alias_name: "directions" fetch_type: 1 shape: 2 }}\n'
    )
    return tmp_path


def test_names_of_paddle_serving_are_kept(models, tmp_path):
    folder = serving_folder(models, tmp_path / "a", "softmax_0.tmp_0")
    report = check(folder)
    assert report.aliases == {"x": "picture", "softmax_0.tmp_0": "directions"}
    assert report.problems == []
    made = load_onnx(convert(folder, tmp_path / "m.onnx"))
    assert [inputs(made)[0].name, outputs(made)[0].name] == ["picture", "directions"]
    assert difference(folder, tmp_path / "m.onnx", 1, 3, 48, 192) < 1e-4
    wrong = serving_folder(models, tmp_path / "b", "softmax_9")
    assert "names softmax_9, the program has" in check(wrong).problems[0]
    with pytest.raises(ModelError, match="has no output softmax_9"):
        convert(wrong, tmp_path / "n.onnx")


def test_a_recogniser_with_an_lstm_agrees_to_1e_4(saved, tmp_path):
    folder = saved / "crnn"
    report = check(folder)
    assert (report.kind, report.height, report.classes) == ("rec", 32, 40)
    made = convert(folder, tmp_path / "m.onnx")
    for shape in ((1, 3, 32, 100), (3, 3, 32, 320), (2, 3, 32, 8)):
        assert difference(folder, made, *shape) < 1e-4


@pytest.mark.nightly
@pytest.mark.parametrize(
    "name",
    [
        "PP-OCRv5_mobile_det",
        "PP-OCRv5_mobile_rec",
        "PP-OCRv6_tiny_det_onnx",
        "PP-OCRv6_tiny_rec_onnx",
    ],
)
def test_real_models_of_the_package_index_are_built(models, tmp_path, name):
    source = find_model_source(ModelChoice(name), models, supply=Supply(origin="wheel"))
    made = build_model(source, tmp_path / "m")
    assert made.manifest["proof"]["problems"] == []
    assert made.manifest["proof"]["max_probability"] > 0.9
    assert explain(source).problems == []


@pytest.mark.parametrize(("form", "said"), [("isnan", None), ("logits", "Softmax is added")])
def test_what_check_passes_of_paddles_own_is_built(saved, tmp_path, form, said):
    dictionary = tmp_path / "dictionary.txt"
    write_dictionary(dictionary, [chr(0x4E00 + index) for index in range(38)])
    report = check(saved / form, dictionary=dictionary)
    assert report.problems == []
    assert report.notes[1:] == ([] if said is None else [f"{said}: it answers {NO_PROBABILITIES}"])
    choice = ModelChoice(str(saved / form), dictionary=dictionary)
    proof = build_model(find_model_source(choice, tmp_path), tmp_path / "m")
    assert 0.5 < proof.manifest["proof"]["max_probability"] <= 1


@pytest.mark.parametrize(
    ("form", "kind", "height", "said"),
    [
        ("fixed", "det", None, ["height 960 and width 960, which it declares, are set free"]),
        ("textline", "cls", 80, []),
        ("textline_pir", "cls", 80, []),
    ],
)
def test_sizes_that_paddle_declares_are_free_or_the_classifiers_own(
    saved, tmp_path, form, kind, height, said
):
    report = check(saved / form)
    assert (report.kind, report.height, report.problems) == (kind, height, [])
    assert report.notes[1:] == said
    source = find_model_source(ModelChoice(str(saved / form)), tmp_path, kind=kind)
    made = build_model(source, tmp_path / "made").manifest
    assert made["proof"]["problems"] == []
    converted = tmp_path / "made" / "converted.onnx"
    for size in ((320, 416), (64, 32)) if kind == "det" else ((80, 160),):
        assert difference(saved / form, converted, 2, 3, *size) < 1e-5


@pytest.mark.parametrize("operator", ["quantize_linear", "fake_quantize_dequantize_abs_max"])
def test_a_quantised_model_is_refused(models, tmp_path, operator):
    folder = shutil.copytree(models / CLS, tmp_path / "model")
    program = framework()["ProgramDesc"].FromString((folder / "inference.pdmodel").read_bytes())
    next(op for op in program.blocks[0].ops if op.type == "relu").type = operator
    (folder / "inference.pdmodel").write_bytes(program.SerializeToString())
    said = f"model is quantised, by {operator}; take the float model"
    (problem,) = check(folder).problems
    assert said in problem
    with pytest.raises(ModelError, match=f"{said}.* `build --precision int8`"):
        convert(folder, tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


def test_an_unknown_operator_is_named(saved, tmp_path):
    reason = "it does not know the operators lgamma"
    with pytest.raises(ModelError, match=rf"{reason}$"):
        convert(saved / "odd", tmp_path / "m.onnx")
    assert reason in check(saved / "odd").problems[0]
    assert list(tmp_path.iterdir()) == []

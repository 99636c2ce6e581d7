"""Conversion and proof with the real Paddle."""

import re
import shutil
import subprocess
import sys

import numpy as np
import onnx
import pytest
from checking import check
from work_folders import CLS, DET, REC

from ppocr_converters.errors import ModelError, ProofError
from ppocr_converters.graph.onnx_model import OnnxFile, load_onnx
from ppocr_converters.paddle.convert import convert
from ppocr_converters.paddle.model_folder import find_paddle_model
from ppocr_converters.proof.tensors import compare_file

pytestmark = pytest.mark.paddle


@pytest.mark.parametrize(
    ("name", "file", "keep", "reason"),
    [
        (REC, "inference.pdiparams", 5_000_000, "truncated or damaged: it ends at byte 5000000"),
        (REC, "inference.pdiparams", 100, "truncated or damaged: it ends at byte 100"),
        (REC, "inference.pdiparams", 17, "truncated or damaged: it ends at byte 17"),
        (DET, "inference.pdiparams", 0, r"holds 0 variables, but inference\.pdmodel has 234"),
        (DET, "inference.pdmodel", 50_000, "truncated or is not a Paddle program"),
    ],
)
def test_a_damaged_model_is_one_sentence(models, tmp_path, name, file, keep, reason):
    damaged = shutil.copytree(models / name, tmp_path / "model")
    (damaged / file).write_bytes((damaged / file).read_bytes()[:keep])
    with pytest.raises(ModelError, match=reason) as why:
        convert(damaged, tmp_path / "m.onnx")
    assert "\n" not in str(why.value)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    if file == "inference.pdmodel":
        with pytest.raises(ModelError, match=reason):
            check(damaged)
        return
    report = check(damaged)
    assert report.kind == ("rec" if name == REC else "det")
    assert re.search(reason, report.problems[0])


def test_folders_that_are_no_model_are_refused(models, tmp_path):
    with pytest.raises(ModelError, match="holds no Paddle model"):
        find_paddle_model(tmp_path)
    with pytest.raises(ModelError, match="not a folder"):
        find_paddle_model(tmp_path / "missing")
    shutil.copy(models / DET / "inference.pdmodel", tmp_path)
    with pytest.raises(ModelError, match=r"but no inference\.pdiparams"):
        find_paddle_model(tmp_path)
    (tmp_path / "second.pdmodel").touch()
    with pytest.raises(ModelError, match="several models"):
        find_paddle_model(tmp_path)


def test_json_that_is_no_program_is_refused(tmp_path):
    (tmp_path / "inference.json").write_text("{}")
    (tmp_path / "inference.pdiparams").touch()
    with pytest.raises(ModelError, match=r"inference\.json is truncated or is not a Paddle"):
        convert(tmp_path, tmp_path / "m.onnx")


@pytest.mark.parametrize("name", [DET, REC])
def test_a_proof_fails_on_a_model_that_was_changed(models, built, tmp_path, name):
    model = load_onnx(built / name / "model.onnx")
    mean = next(i for i in model.graph.initializer if i.name == "ppocr.mean")
    mean.CopyFrom(onnx.numpy_helper.from_array(np.full(3, 100, np.float32), "ppocr.mean"))
    changed = OnnxFile(tmp_path / "m.onnx", model)
    onnx.save(model, changed.path)
    with pytest.raises(ProofError, match="does not answer as its source does") as raised:
        compare_file(changed, models / name).require(changed)
    assert raised.value.differences


def test_a_proof_needs_a_compiled_model(models, built):
    with pytest.raises(ModelError, match="is not compiled"):
        compare_file(OnnxFile(built / DET / "converted.onnx"), models / DET)


def test_check_explains_the_real_models(models, built):
    det, rec, cls = (check(models / name) for name in (DET, REC, CLS))
    assert (det.kind, det.inputs, det.problems) == ("det", ["x float32 [?, 3, ?, ?]"], [])
    assert (rec.kind, rec.classes, rec.height, rec.characters) == ("rec", 6625, 48, 6623)
    assert rec.problems == []
    assert (cls.kind, cls.classes) == ("cls", 2)
    compiled = check(built / REC / "model.onnx")
    assert (compiled.classes, compiled.characters, compiled.opset) == (6625, 6623, 14)
    assert compiled.problems == []
    assert "no dictionary" in check(built / REC / "converted.onnx").problems[0]


def test_paddle_frees_what_it_has_computed(models):
    """A build fits into a small machine: Paddle 3.2.2's older executor took 2.8 GB of this."""
    program = (
        "import sys, pathlib, numpy\n"
        "from ppocr_converters.proof.networks import source_network\n"
        "network = source_network(pathlib.Path(sys.argv[1]), {})\n"
        "for width in (320, 1024): network(numpy.zeros((6, 3, 48, width), numpy.float32))\n"
        # Not ru_maxrss, which a process inherits from the one that started it.
        "status = pathlib.Path('/proc/self/status').read_text()\n"
        "print(int(status.split('VmHWM:')[1].split()[0]) >> 10)"
    )
    command = [sys.executable, "-c", program, str(models / REC)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout.split()[-1]) < 1200  # MiB

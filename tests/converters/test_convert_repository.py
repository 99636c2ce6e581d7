"""The build: complete or not at all, nothing twice, and what is in it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto
from paths import SAMPLES
from work_folders import CLS, DET, ONE_PICTURE, REC, V4, work_of

from ppocr_converters.cli import main
from ppocr_converters.files import sha256_file, sha256_files
from ppocr_converters.graph.onnx_model import load_onnx
from ppocr_converters.proof.lines import ReadingProof, compare_readings
from ppocr_converters.proof.pictures import Picture
from ppocr_converters.proof.tolerance import tolerance_of
from ppocr_converters.repository.build import _folders
from ppocr_converters.repository.manifest import DECIDING, code_digest, digest_packages
from ppocr_converters.repository.source import package_folder
from ppocr_pipeline.pipeline import Line


def build(work: Path, *more: str) -> int:
    profile = ["--profile", "cpu-onnxruntime"]
    return main(["build", "--quiet", "--work", str(work), *V4, *profile, *more])


@pytest.mark.paddle
def test_a_build_is_not_repeated_and_another_profile_does_not_prove_again(
    repository, tmp_path, capsys
):
    work = work_of(repository, tmp_path / "work")
    assert build(work) == 0
    out = work / "model_repository"
    first = sha256_file(out / "manifest.json"), (out / "manifest.json").stat().st_mtime_ns
    proofs = {p: p.stat().st_mtime_ns for p in (work / "onnx").rglob("*") if p.is_file()}
    assert build(work) == 0
    assert first == (sha256_file(out / "manifest.json"), (out / "manifest.json").stat().st_mtime_ns)
    assert build(work, "--det-concurrency", "5") == 0
    assert {p: p.stat().st_mtime_ns for p in (work / "onnx").rglob("*") if p.is_file()} == proofs
    said = capsys.readouterr().out
    assert "is built" in said
    assert "is up to date" in said
    assert "det              onnxruntime    5 x 1 thread(s)" in said
    (out / "det" / "1" / "model.onnx").write_bytes(b"spoilt")
    assert build(work, "--det-concurrency", "5") == 0
    assert sha256_file(out / "det" / "1" / "model.onnx") == sha256_file(
        work / "onnx" / DET / "model.onnx"
    )
    capsys.readouterr()
    assert build(work, "--cores", "7", *ONE_PICTURE) == 0
    assert capsys.readouterr().out.count(" 7 x 1 thread(s)") == 6
    assert json.loads((out / "manifest.json").read_text("utf-8"))["inputs"]["cores"] == 7


@pytest.mark.paddle
def test_each_compiled_model_is_loaded_once_in_a_build(repository, tmp_path, monkeypatch):
    loaded: list[str] = []

    def load(path: Path) -> ModelProto:
        loaded.append(path.parent.name)
        return load_onnx(path)

    monkeypatch.setattr("ppocr_converters.graph.onnx_model.load_onnx", load)
    pictures = ["--images", str(SAMPLES / "poster_zh.jpg")]  # so that it is proven again
    assert build(work_of(repository, tmp_path / "work"), *pictures) == 0
    assert sorted(loaded) == sorted([DET, REC, CLS])


@pytest.mark.paddle
def test_the_manifest_tells_where_everything_comes_from(repository):
    manifest = json.loads((repository / "manifest.json").read_text("utf-8"))
    det, rec = manifest["models"]["det"], manifest["models"]["rec"]
    assert det["inputs"]["files"]["inference.pdiparams"].startswith("49ee815e30cf")
    assert det["inputs"]["tools"]["paddle2onnx"] == "1.3.1"
    assert det["inputs"]["tools"]["opencv-python-headless"].startswith("4.11")
    assert rec["compiled"]["opset"] == {"ai.onnx": 14}
    assert rec["compiled"]["metadata"]["ppocr_classes"] == "6625"
    assert (det["precision"], rec["precision"]) == ("fp32", "fp32")
    assert manifest["steps"]["source"] == "ppocr_model_repository"
    assert manifest["files"] == sha256_files(repository, ignore=("manifest.json",))


@pytest.mark.paddle
def test_a_build_that_fails_leaves_the_repository_as_it_was(repository, models, tmp_path, capsys):
    work = work_of(repository, tmp_path / "work")
    out = work / "model_repository"
    assert build(work) == 0
    before = sha256_files(work / "model_repository")
    short = tmp_path / "short.txt"
    lines = (models / REC / "dictionary.txt").read_text("utf-8").split("\n")
    short.write_text("\n".join(lines[:-1]), "utf-8")
    assert build(work, "--dict", str(short)) == 1
    said = capsys.readouterr().err
    assert "  rec: refused: " in said
    assert "6622 characters + blank + space = 6624 classes" in said
    assert f"  det: {DET} is proven, and kept in {work / 'onnx' / DET}\n" in said
    assert build(work, "--rec", DET) == 1
    assert "det model, but was given as rec" in capsys.readouterr().err
    assert sha256_files(out) == before
    assert not [path.name for path in work.iterdir() if path.name.startswith(".model_repository")]
    assert not [path for path in (work / "onnx").iterdir() if path.name.startswith(".")]


def folder_bytes(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.paddle
def test_another_machine_builds_the_same_bytes(repository, tmp_path, monkeypatch):
    """Another processor, other figures of the same proofs, bfloat16: nothing of it is written."""
    here, there = (work_of(repository, tmp_path / name) for name in ("here", "there"))
    more = ["--profile", "cpu", "--cores", "3", *ONE_PICTURE]
    assert build(here, *more) == 0
    for path in (there / "onnx").rglob("*.json"):
        kept = json.loads(path.read_text("utf-8"))
        for name in ("max_difference", "max_score_difference"):
            if name in kept["proof"]:
                kept["proof"][name] /= 2
        path.write_text(json.dumps(kept), "utf-8")
    other = {"name": "another", "cores": 64, "instructions": ["amx_bf16"]}
    monkeypatch.setattr("ppocr_converters.proof.prove.processor", lambda: other)
    monkeypatch.setattr("ppocr_converters.repository.build.has_bfloat16", lambda: True)
    monkeypatch.setattr("ppocr_engine.machine.available_cores", lambda: 64)
    assert build(there, *more) == 0
    assert folder_bytes(there / "model_repository") == folder_bytes(here / "model_repository")


@pytest.mark.paddle
def test_a_repository_remembers_the_steps_it_was_built_from(repository, tmp_path, capsys):
    work, own = work_of(repository, tmp_path / "work"), tmp_path / "own"
    assert main(["steps", "--out", str(own)]) == 0
    step = own / "recognize" / "1" / "model.py"
    step.write_text(step.read_text("utf-8") + "# changed\n", "utf-8")
    out = work / "model_repository"
    assert build(work, "--source", str(own)) == 0
    manifest = json.loads((out / "manifest.json").read_text("utf-8"))
    assert manifest["steps"]["source"] == str(own)
    before = folder_bytes(out)
    capsys.readouterr()
    assert build(work) == 1
    assert f"build with --source {own}; to give them up, remove {out}" in capsys.readouterr().err
    assert folder_bytes(out) == before
    assert build(work, "--source", str(own)) == 0
    assert "is up to date" in capsys.readouterr().out


@pytest.mark.paddle
def test_a_detector_that_was_refused_is_not_read_again_with_any_recogniser(
    repository, built, models, tmp_path, monkeypatch, capsys
):
    line = Line("one", 0.9, np.zeros((4, 2), np.float32), 0.8)
    readings: list[ReadingProof] = []

    def prove(*_: object) -> ReadingProof:
        picture = Picture("a", np.zeros((9, 9, 3), np.uint8))
        source, compiled = (lambda *_, lines=lines: lines for lines in ([line], []))
        readings.append(compare_readings(source, compiled, [picture], tolerance_of("fp32")))
        return readings[-1]

    monkeypatch.setattr("ppocr_converters.proof.prove.prove_reading", prove)
    work = work_of(repository, tmp_path / "work")
    pictures = ["--images", str(SAMPLES / "form_mixed.png")]
    other = ["--rec", str(built / REC / "converted.onnx")]
    other += ["--dict", str(models / REC / "dictionary.txt")]
    for more in ([], [], other):
        assert build(work, *pictures, *more) == 1
        said = capsys.readouterr().err
        assert said.count("set: refused: ") == said.count("1 of 1 boxes differ") == 1
        assert f"det: {DET} is proven, and kept in {work / 'onnx' / DET}" in said
        assert len(readings) == 1
    assert not (work / "model_repository").exists()


def test_two_models_of_one_name_get_folders_of_their_own():
    assert _folders({"det": "inference", "rec": "inference", "cls": "cls"}) == {
        "det": "inference.det",
        "rec": "inference.rec",
        "cls": "cls",
    }


def test_a_change_of_any_file_that_decides_is_seen(tmp_path):
    """Code, profiles, catalogue and the bounds of proofs: a byte more is another digest."""
    ignored = shutil.ignore_patterns("__pycache__")
    folders = {
        name: Path(shutil.copytree(package_folder(name), tmp_path / name, ignore=ignored))
        for name in DECIDING
    }
    before = digest_packages(folders)
    assert before == code_digest()
    files = [path for path in tmp_path.rglob("*") if path.suffix in (".py", ".yml")]
    names = {path.relative_to(tmp_path).as_posix() for path in files}
    assert "ppocr_converters/proof/precisions.yml" in names
    assert "ppocr_pipeline/db.py" in names
    for path in files:
        content = path.read_bytes()
        path.write_bytes(content + b"\n")
        assert digest_packages(folders) != before, path
        path.write_bytes(content)
    assert digest_packages(folders) == before


@pytest.mark.paddle
def test_what_was_proven_by_other_code_is_proven_again(repository, tmp_path, monkeypatch):
    class ProvenAgain(Exception):
        pass

    def prove(*_: object, **__: object) -> None:
        raise ProvenAgain

    work = work_of(repository, tmp_path / "work")
    for changes, other, proof in (
        (
            "proof.prove.whole",
            lambda inputs: {**inputs, "code": "other"},
            "proof.prove.prove_reading",
        ),
        (
            "repository.manifest.whole",
            lambda inputs: {**inputs, "code": "other"},
            "repository.models._make",
        ),
    ):
        monkeypatch.setattr(f"ppocr_converters.{proof}", prove)
        assert build(work) == 0
        with monkeypatch.context() as changed:
            changed.setattr(f"ppocr_converters.{changes}", other)
            with pytest.raises(ProvenAgain):
                build(work)


def test_a_foreign_folder_is_not_replaced(built, tmp_path, capsys):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "photo.jpg").touch()
    assert build(built.parent, "--out", str(tmp_path / "precious")) == 1
    assert "was not built by ppocr-convert" in capsys.readouterr().err
    assert (tmp_path / "precious" / "photo.jpg").exists()

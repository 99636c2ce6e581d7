"""The build: complete or not at all, nothing twice, and what is in it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from onnx import ModelProto
from work_folders import work_of

from ppocr_converters.cli import main
from ppocr_converters.commands import DET, REC
from ppocr_converters.errors import ModelError, RepositoryError
from ppocr_converters.files import sha256_file, sha256_files
from ppocr_converters.graph.onnx_model import OnnxFile, load_onnx
from ppocr_converters.repository.deployment_plan import LINES_PER_CALL, Batching, ModelPlan
from ppocr_converters.repository.layout import assemble
from ppocr_converters.repository.manifest import DECIDING, code_digest, digest_packages
from ppocr_converters.repository.profiles import load_profile
from ppocr_converters.repository.source import package_folder, source_repository
from ppocr_engine.config_pbtxt import format_config, read_config, write_config
from ppocr_engine.errors import EngineError
from ppocr_pipeline.ctc import load_dictionary

SAMPLES = Path(__file__).parents[2] / "samples"


def networks(
    built: Path, det: str = f"{DET}/model.onnx", rec: str = f"{REC}/model.onnx"
) -> dict[str, OnnxFile]:
    return {"det": OnnxFile(built / det), "rec": OnnxFile(built / rec)}


@pytest.fixture
def assembled(built: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    profile = load_profile("cpu-onnxruntime", {"det": 6, "rec": 3}, cores=4)
    assemble(folder, source_repository(), networks(built), profile)
    return folder


def test_instances_and_threads_come_from_the_profile(assembled: Path) -> None:
    counts = {}
    for path in assembled.glob("*/config.pbtxt"):
        config = read_config(path)
        counts[config.name] = sum(group.count for group in config.instance_group)
    ops = {"det_preprocess": 6, "det": 6, "det_postprocess": 6, "recognize": 3, "rec": 3}
    assert counts == {"admit": 1, "ocr": 0, "detect": 0, **ops}
    for name in ("det", "rec"):
        parameters = read_config(assembled / name / "config.pbtxt").parameters
        assert parameters["intra_op_thread_count"].string_value == "1"


def test_lines_are_sent_together_where_that_pays_and_nobody_else_merges_or_decides(
    built: Path, tmp_path: Path
) -> None:
    def lines(name: str, **changes: ModelPlan) -> int:
        profile = load_profile(name, cores=2)
        plan = replace(profile, models={**profile.models, **changes})
        folder = tmp_path / f"{name}-{'-'.join(changes)}"
        assemble(folder, source_repository(), networks(built), plan)
        parameters = read_config(folder / "recognize" / "config.pbtxt").parameters
        return int(parameters["rec_batch_size"].string_value)

    models = load_profile("cpu-openvino", cores=2).models
    assert lines("cpu-onnxruntime") == 1
    assert lines("cpu-openvino") == LINES_PER_CALL["openvino"] > 1
    merging = replace(models["rec"], batching=Batching(preferred_sizes=(8,)))
    assert lines("cpu-openvino", rec=merging) == 1
    told = replace(models["recognize"], parameters={"rec_batch_size": "2"})
    assert lines("cpu-openvino", recognize=told) == 2


def test_without_counts_there_is_an_instance_for_each_core() -> None:
    models = load_profile("cpu", cores=5).models.values()
    assert {group.total for model in models for group in model.instances} == {5}
    with pytest.raises(RepositoryError, match="no profile is called 'tpu'; there are cpu"):
        load_profile("tpu")
    with pytest.raises(RepositoryError, match="concurrency det=0"):
        load_profile("cpu", {"det": 0})
    with pytest.raises(RepositoryError, match="cores is 0; allowed: whole numbers from 1 on"):
        load_profile("cpu", cores=0)


def test_the_dictionary_lies_beside_its_step(assembled: Path, models: Path) -> None:
    parameters = read_config(assembled / "recognize" / "config.pbtxt").parameters
    classes = int(parameters["rec_classes"].string_value)
    characters = load_dictionary(assembled / "recognize" / "1" / "dictionary.txt", classes)
    source = (models / REC / "dictionary.txt").read_text("utf-8").split("\n")
    assert characters == [*source, " "]
    assert classes == 6625
    assert parameters["rec_height"].string_value == "48"


def test_a_repository_is_self_contained(assembled: Path) -> None:
    assert not [path for path in assembled.rglob("*") if path.is_symlink()]
    assert not list(assembled.rglob("__pycache__"))
    models = {path.parent for path in assembled.glob("*/config.pbtxt")}
    assert set(assembled.iterdir()) == models
    backends = {read_config(p).backend for p in assembled.glob("*/config.pbtxt")}
    assert backends == {"onnxruntime", "python", ""}


def test_assembling_twice_gives_the_same_bytes(
    assembled: Path, built: Path, tmp_path: Path
) -> None:
    profile = load_profile("cpu-onnxruntime", {"det": 6, "rec": 3}, cores=4)
    assemble(tmp_path / "second", source_repository(), networks(built), profile)
    assert sha256_files(tmp_path / "second") == sha256_files(assembled)


def test_a_model_in_the_wrong_place_is_refused(built: Path, tmp_path: Path) -> None:
    wrong = networks(built, det=f"{REC}/model.onnx")
    with pytest.raises(ModelError, match=r"is a text recogniser \(rec\), but was given as det"):
        assemble(tmp_path, source_repository(), wrong, load_profile("cpu-onnxruntime"))
    raw = networks(built, det=f"{DET}/converted.onnx")
    with pytest.raises(RepositoryError, match="not compiled"):
        assemble(tmp_path / "b", source_repository(), raw, load_profile("cpu-onnxruntime"))


def test_an_ensemble_without_one_of_its_models_is_refused(built: Path, tmp_path: Path) -> None:
    source = shutil.copytree(source_repository(), tmp_path / "source")
    shutil.rmtree(source / "det_postprocess")
    with pytest.raises(RepositoryError, match="needs det_postprocess, which is not there"):
        assemble(tmp_path / "out", source, networks(built), load_profile("cpu-onnxruntime"))


def test_configurations_survive_writing(tmp_path: Path) -> None:
    for path in source_repository().glob("*/config.pbtxt"):
        config = read_config(path)
        copy = tmp_path / f"{path.parent.name}.pbtxt"
        shutil.copy(path, copy)
        write_config(copy, config)
        text = copy.read_text("utf-8")
        assert read_config(copy) == config
        assert text.count("max_batch_size: ") == 1
        assert text.splitlines()[0] == path.read_text("utf-8").splitlines()[0]
        write_config(copy, read_config(copy))
        assert copy.read_text("utf-8") == text
        assert format_config(config) in text


def test_a_broken_configuration_names_its_line(tmp_path: Path) -> None:
    broken = tmp_path / "config.pbtxt"
    broken.write_text('name: "x"\nno_such_field: 1\n')
    with pytest.raises(EngineError, match="line 2"):
        read_config(broken)


def build(work: Path, *more: str) -> int:
    profile = ["--profile", "cpu-onnxruntime"]
    return main(["build", "--quiet", "--work", str(work), *profile, *more])


@pytest.mark.paddle
def test_a_build_is_not_repeated_and_another_profile_does_not_prove_again(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work = work_of(repository, tmp_path / "work")
    assert build(work) == 0
    out = work / "model_repository"
    first = sha256_file(out / "manifest.json"), (out / "manifest.json").stat().st_mtime_ns
    proofs = {p: p.stat().st_mtime_ns for p in (work / "onnx").rglob("*") if p.is_file()}
    assert build(work) == 0
    assert first == (
        sha256_file(out / "manifest.json"),
        (out / "manifest.json").stat().st_mtime_ns,
    )
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
    assert build(work, "--cores", "7") == 0
    assert capsys.readouterr().out.count(" 7 x 1 thread(s)") == 5
    assert json.loads((out / "manifest.json").read_text("utf-8"))["inputs"]["cores"] == 7


@pytest.mark.paddle
def test_each_compiled_model_is_loaded_once_in_a_build(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []

    def load(path: Path) -> ModelProto:
        loaded.append(path.parent.name)
        return load_onnx(path)

    monkeypatch.setattr("ppocr_converters.graph.onnx_model.load_onnx", load)
    pictures = ["--images", str(SAMPLES / "poster_zh.jpg")]  # so that it is proven again
    assert build(work_of(repository, tmp_path / "work"), *pictures) == 0
    assert sorted(loaded) == [DET, REC]


@pytest.mark.paddle
def test_the_manifest_tells_where_everything_comes_from(repository: Path) -> None:
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
def test_a_build_that_fails_leaves_the_repository_as_it_was(
    repository: Path, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work = work_of(repository, tmp_path / "work")
    out = work / "model_repository"
    assert build(work) == 0
    before = sha256_files(work / "model_repository")
    short = tmp_path / "short.txt"
    lines = (models / REC / "dictionary.txt").read_text("utf-8").split("\n")
    short.write_text("\n".join(lines[:-1]), "utf-8")
    assert build(work, "--dict", str(short)) == 1
    assert "6622 characters + blank + space = 6624 classes" in capsys.readouterr().err
    assert build(work, "--rec", DET) == 1
    assert "det model, but was given as rec" in capsys.readouterr().err
    assert sha256_files(out) == before
    assert not [path.name for path in work.iterdir() if path.name.startswith(".model_repository")]
    assert not [path for path in (work / "onnx").iterdir() if path.name.startswith(".")]


def folder_bytes(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.paddle
def test_another_machine_builds_the_same_bytes(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another processor, other figures of the same proofs, bfloat16: nothing of it is written."""
    here, there = (work_of(repository, tmp_path / name) for name in ("here", "there"))
    more = ["--profile", "cpu", "--cores", "3"]
    assert build(here, *more) == 0
    for path in (there / "onnx").rglob("*.json"):
        kept = json.loads(path.read_text("utf-8"))
        for name in ("max_difference", "max_score_difference"):
            if name in kept["proof"]:
                kept["proof"][name] /= 2
        path.write_text(json.dumps(kept), "utf-8")
    other = {"name": "another", "cores": 64, "instructions": ["amx_bf16"]}
    monkeypatch.setattr("ppocr_converters.proof.kept.processor", lambda: other)
    monkeypatch.setattr("ppocr_converters.repository.build_checks.has_bfloat16", lambda: True)
    monkeypatch.setattr("ppocr_engine.machine.available_cores", lambda: 64)
    assert build(there, *more) == 0
    assert folder_bytes(there / "model_repository") == folder_bytes(here / "model_repository")


@pytest.mark.paddle
def test_a_repository_remembers_the_steps_it_was_built_from(
    repository: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    work, own = work_of(repository, tmp_path / "work"), tmp_path / "own"
    shutil.copytree(source_repository(), own, ignore=shutil.ignore_patterns("__pycache__"))
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
    for stream in ("stdin", "stderr"):
        monkeypatch.setattr(f"sys.{stream}.isatty", lambda: True)
    monkeypatch.setattr("sys.stdin.readline", lambda: "yes\n")
    assert build(work) == 0
    manifest = json.loads((out / "manifest.json").read_text("utf-8"))
    assert manifest["steps"]["source"] == "ppocr_model_repository"


def test_a_change_of_any_file_that_decides_is_seen(tmp_path: Path) -> None:
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
def test_what_was_proven_by_other_code_is_proven_again(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class ProvenAgain(Exception):
        pass

    def prove(*_: object, **__: object) -> None:
        raise ProvenAgain

    work = work_of(repository, tmp_path / "work")
    for module, proof in (
        ("proof.kept", "proof.kept.prove_reading"),
        ("repository.manifest", "repository.model_build._make"),
    ):
        monkeypatch.setattr(f"ppocr_converters.{proof}", prove)
        assert build(work) == 0
        with monkeypatch.context() as changed:
            changed.setattr(f"ppocr_converters.{module}.made_with", lambda: {"code": "other"})
            with pytest.raises(ProvenAgain):
                build(work)


def test_a_foreign_folder_is_not_replaced(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "photo.jpg").touch()
    assert build(built.parent, "--out", str(tmp_path / "precious")) == 1
    assert "was not built by ppocr-convert" in capsys.readouterr().err
    assert (tmp_path / "precious" / "photo.jpg").exists()

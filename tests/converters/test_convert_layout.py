"""A repository laid out: what is in it, and what is refused."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from tritonclient.grpc.model_config_pb2 import ModelDynamicBatching
from work_folders import DET, REC

from ppocr_converters.errors import ModelError, RepositoryError
from ppocr_converters.graph.onnx_model import OnnxFile
from ppocr_converters.repository.deployment_plan import ModelPlan, load_profile
from ppocr_converters.repository.layout import assemble
from ppocr_converters.repository.source import source_repository
from ppocr_engine.config_pbtxt import format_config, read_config, write_config
from ppocr_pipeline.batches import parse_buckets
from ppocr_pipeline.ctc import load_dictionary
from ppocr_pipeline.orientation.find import SAMPLE

Networks = dict[str, OnnxFile]


@pytest.fixture
def assembled(networks, tmp_path) -> Path:
    folder = tmp_path / "repository"
    profile = load_profile("cpu-onnxruntime", {"det": 6, "rec": 3}, cores=4)
    assemble(folder, source_repository(), networks, profile)
    return folder


def test_instances_and_threads_come_from_the_profile(assembled):
    counts = {}
    for path in assembled.glob("*/config.pbtxt"):
        config = read_config(path)
        counts[config.name] = sum(group.count for group in config.instance_group)
    ops = {"det_preprocess": 6, "det": 6, "det_postprocess": 6, "recognize": 3, "rec": 3}
    assert counts == {"admit": 1, "ocr": 0, "detect": 0, "docling": 0, **ops}
    for name in ("det", "rec"):
        parameters = read_config(assembled / name / "config.pbtxt").parameters
        assert parameters["intra_op_thread_count"].string_value == "1"


def test_calls_suit_the_engine_unless_they_are_merged_or_told(networks, tmp_path):
    def calls(name: str, **changes: ModelPlan) -> tuple[int, int, str | None]:
        """The first width that follows 96, the lines in a call, and the calls at a time."""
        profile = load_profile(name, cores=2)
        plan = replace(profile, models={**profile.models, **changes})
        folder = tmp_path / f"{name}-{'-'.join(changes)}"
        assemble(folder, source_repository(), networks, plan)
        parameters = read_config(folder / "recognize" / "config.pbtxt").parameters
        widths = parse_buckets(parameters["rec_buckets"].string_value)
        assert int(parameters["cls_batch_size"].string_value) == SAMPLE  # asked first, in one call
        told = parameters["rec_calls"].string_value if "rec_calls" in parameters else None
        return widths[1], int(parameters["rec_batch_size"].string_value), told

    assert calls("cpu-onnxruntime") == (104, 4, "3")  # a time step more
    assert calls("cpu-openvino") == (128, 4, "3")
    merging = ModelDynamicBatching(preferred_batch_size=[8])
    rec = {name: load_profile(name, cores=2).models["rec"] for name in ("cpu", "cpu-openvino")}
    assert calls("cpu", rec=replace(rec["cpu"], batching=merging, max_batch_size=8)) == (
        128,
        1,
        None,
    )
    openvino = replace(rec["cpu-openvino"], batching=merging)
    assert calls("cpu-openvino", rec=openvino) == (128, 4, "3")  # merges nothing
    recognize = load_profile("cpu-openvino", cores=2).models["recognize"]
    told = {"rec_batch_size": "2", "rec_buckets": "96,320"}
    assert calls("cpu-openvino", recognize=replace(recognize, parameters=told)) == (320, 2, "3")


@pytest.mark.parametrize(("cores", "threads"), [(1, None), (2, "2"), (9, "4")])
def test_a_lone_run_of_the_detector_takes_the_cores_up_to_four(cores, threads):
    models = load_profile("cpu", cores=cores).models
    assert models["det"].parameters.get("lone_run_thread_count") == threads
    assert not models["rec"].parameters


def test_without_counts_there_is_an_instance_for_each_core():
    models = load_profile("cpu", cores=5).models
    counts = {name: sum(group.count for group in one.instances) for name, one in models.items()}
    assert counts.pop("page_orientation") == 1  # asked once a page
    assert set(counts.values()) == {5}
    with pytest.raises(RepositoryError, match="no profile is called 'tpu'; there are cpu"):
        load_profile("tpu")
    with pytest.raises(RepositoryError, match="concurrency det=0"):
        load_profile("cpu", {"det": 0})
    with pytest.raises(RepositoryError, match="cores is 0; allowed: whole numbers from 1 to"):
        load_profile("cpu", cores=0)


def test_the_dictionary_lies_beside_its_step(assembled, models):
    parameters = read_config(assembled / "recognize" / "config.pbtxt").parameters
    classes = int(parameters["rec_classes"].string_value)
    characters = load_dictionary(assembled / "recognize" / "1" / "dictionary.txt", classes)
    source = (models / REC / "dictionary.txt").read_text("utf-8").split("\n")
    assert characters == [*source, " "]
    assert classes == 6625
    assert parameters["rec_height"].string_value == "48"


def test_a_repository_is_self_contained(assembled):
    assert not [path for path in assembled.rglob("*") if path.is_symlink()]
    assert not list(assembled.rglob("__pycache__"))
    models = {path.parent for path in assembled.glob("*/config.pbtxt")}
    assert set(assembled.iterdir()) == models
    backends = {read_config(p).backend for p in assembled.glob("*/config.pbtxt")}
    assert backends == {"onnxruntime", "python", ""}


def test_a_model_in_the_wrong_place_is_refused(networks, built, tmp_path):
    wrong = networks | {"det": networks["rec"]}
    with pytest.raises(ModelError, match=r"is a text recogniser \(rec\), but was given as det"):
        assemble(tmp_path, source_repository(), wrong, load_profile("cpu-onnxruntime"))
    raw = networks | {"det": OnnxFile(built / DET / "converted.onnx")}
    with pytest.raises(RepositoryError, match="not compiled"):
        assemble(tmp_path / "b", source_repository(), raw, load_profile("cpu-onnxruntime"))


def test_an_ensemble_without_one_of_its_models_is_refused(networks, tmp_path):
    source = shutil.copytree(source_repository(), tmp_path / "source")
    shutil.rmtree(source / "det_postprocess")
    with pytest.raises(RepositoryError, match="needs det_postprocess, which is not there"):
        assemble(tmp_path / "out", source, networks, load_profile("cpu-onnxruntime"))


def test_configurations_survive_writing(tmp_path):
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

"""What each Op runs: its kind, its network, and what Paddle Serving wrote beside that."""

from pathlib import Path
from typing import Any

import pytest
from serving_config.configs import DET_OP, REC_OP, document, service, small
from work_folders import DET, REC

from ppocr_converters.repository.serving_config.keys import ConfigError
from ppocr_converters.repository.serving_config.service import Service, plan_service


def test_ops_may_have_any_name():
    data = small()
    ops = data["op"]
    data["op"] = {"My_DET_1": ops["det"], "reader": ops["rec"]}
    data["op"]["My_DET_1"]["concurrency"] = 5
    found = plan_service(document(data))
    counts = {name: found.plan[name].instances[0].count for name in ("det_postprocess", "rec")}
    assert counts == {"det_postprocess": 5, "rec": 1}  # the second is told by its model


def test_a_classifier_is_an_op_of_its_own():
    data = small(op__turn__local_service_conf__model_config="ch_ppocr_mobile_v2.0_cls")
    data["op"]["turn"]["concurrency"] = 3
    found = plan_service(document(data))
    assert found.plan.models["cls"].instances[0].count == 3
    assert found.networks["cls"].model == "ch_ppocr_mobile_v2.0_cls"
    told = found.plan.models["recognize"].parameters
    assert (told["orientation"], told["use_angle_cls"]) == ("off", "true")


def test_an_op_that_cannot_be_told_is_refused(tmp_path):
    data = small()
    data["op"]["stage"] = {}
    another = "op.stage cannot be served: it is no Op for det, rec or cls"
    with pytest.raises(ConfigError, match=f"{another}; its name has none of these words in it"):
        plan_service(document(data))
    data["op"]["stage"] = {"local_service_conf": {"model_config": "folder"}}
    with pytest.raises(ConfigError, match=f"{another}; neither its name nor that of its model"):
        plan_service(document(data, tmp_path))
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigError, match=rf"{another}; of its model: .*holds no Paddle model"):
        plan_service(document(data, tmp_path))


@pytest.mark.parametrize("name", ["layout", "table_rec", "seal_det", "MaskRCNN_Op", "ser"])
def test_an_op_of_another_kind_is_told_by_its_name(name):
    data = small()
    data["op"][name] = {"local_service_conf": {"model_config": "/paddle/any_rec"}}
    with pytest.raises(ConfigError, match=rf"op\.{name} cannot be served: .* something else"):
        plan_service(document(data))


def test_a_model_of_another_kind_is_named():
    with pytest.raises(ConfigError, match=r"'PP-OCRv4_mobile_rec', a model for rec; .*one for det"):
        service(op__det__local_service_conf__model_config="PP-OCRv4_mobile_rec")


def test_a_direction_classifier_is_no_recogniser():
    data = small(op__text_direction__local_service_conf__model_config="ch_ppocr_mobile_v2.0_cls")
    assert "cls" in plan_service(document(data)).networks


def test_a_model_that_is_not_there_is_told_by_key_and_not_built():
    found = service(op__det__local_service_conf__model_config="nowhere")
    assert "det" not in found.networks
    key = "op.det.local_service_conf.model_config"
    assert found.plan.unavailable[0].startswith(f"{key} is 'nowhere': there is no ")
    found = service(op__det__local_service_conf__model_config="./ppocr_det_v3_serving")
    assert found.plan.unavailable[0].endswith("ppocr_det_v3_serving; put the model's folder there")
    found = service(op__det__local_service_conf__model_config=None)
    assert found.plan.unavailable[0].startswith(f"{key} is empty; allowed: the folder")


@pytest.mark.parametrize(
    ("left", "model", "answer", "other"),
    [("det", "detect", "dt_boxes", "rec"), ("rec", "recognize", "res", "det")],
)
def test_one_op_alone_is_completed_and_answers_its_own_way(left, model, answer, other):
    data = small(op__det__concurrency=3, op__rec__concurrency=3)
    del data["op"][other]
    found = plan_service(document(data), "mine.yml")
    assert found.plan.name == "mine.yml"
    assert (found.endpoints["model"], found.endpoints["answer"]) == (model, answer)
    assert set(found.networks) == {"det", "rec"}
    counts = {name: plan.instances[0].count for name, plan in found.plan.models.items()}
    ops = {"det": DET_OP, "rec": REC_OP}
    assert counts == dict.fromkeys(ops[left], 3) | dict.fromkeys(ops[other], 1)
    assert f"without an Op for {other}" in found.warnings[f"triton.{other}_model"]


def test_an_answer_must_be_one_that_the_service_has():
    assert service(triton__answer="res").endpoints["answer"] == "res"
    data = small(triton__answer="result")
    del data["op"]["rec"]
    with pytest.raises(ConfigError, match=r"answer is result; a service of det answers dt_boxes"):
        plan_service(document(data))


def test_no_kind_of_op_is_there_twice_and_one_of_det_and_rec_is_there():
    data = small()
    op = data["op"]["det"]
    data["op"] = {"cls": op}
    with pytest.raises(ConfigError, match="in op: cls; allowed: an Op for det and one for rec"):
        plan_service(document(data))
    data["op"] = {"det": op, "det2": op}
    with pytest.raises(ConfigError, match=r"op\.det2 and op\.det are both of kind det"):
        plan_service(document(data))


def test_models_of_the_catalogue_go_by_their_names_and_aliases():
    found = service(op__det__local_service_conf__model_config="ch_PP-OCRv4_det")
    assert found.networks["det"].model == DET
    assert found.networks["rec"].model == REC
    assert service(triton__det_model=DET).networks["det"].model == DET


PROTOTXT = """
feed_var {{ name: "x" alias_name: "x" is_lod_tensor: false feed_type: 1
  shape: 3 shape: {height} shape: -1 }}
fetch_var {{ name: "save_infer_model/scale_0.tmp_1" alias_name: "out" is_lod_tensor: false
  fetch_type: 1 shape: 1 shape: -1 shape: -1 }}
"""


@pytest.fixture
def folders(tmp_path) -> Path:
    """Model folders as Paddle Serving saved them, beside a config.yml; without weights."""
    for name, height in (("ocr_det_model", 960), ("ocr_rec_model", 32)):
        folder = tmp_path / name / "serving_server"
        folder.mkdir(parents=True)
        (folder / "inference.pdmodel").touch()
        text = PROTOTXT.format(height=height)
        (folder / "serving_server_conf.prototxt").write_text(text, "utf-8")
    (tmp_path / "ppocr_keys_v1.txt").write_text("a\nb\n", "utf-8")
    return tmp_path


def folder_service(folder: Path, **changes: Any) -> Service:
    names = {f"op__{op}__local_service_conf__model_config": f"ocr_{op}_model" for op in OPS}
    return plan_service(document(small(**(names | changes)), folder))


OPS = ("det", "rec")


def test_folders_of_paddle_serving_bring_height_and_dictionary(folders):
    found = folder_service(folders).networks
    assert found["det"].model == str(folders / "ocr_det_model" / "serving_server")
    assert found["rec"].dictionary == folders / "ppocr_keys_v1.txt"
    assert found["rec"].height == 32
    (folders / "mine.txt").touch()
    found = folder_service(folders, triton__rec_dictionary="mine.txt").networks
    assert found["rec"].dictionary == folders / "mine.txt"
    with pytest.raises(ConfigError, match=r"rec_dictionary is 'no\.txt': there is no file"):
        folder_service(folders, triton__rec_dictionary="no.txt")


def test_a_fetch_list_has_names_or_aliases_of_the_model(folders):
    path = "op__rec__local_service_conf__fetch_list"
    assert folder_service(folders, **{path: ["save_infer_model/scale_0.tmp_1"]}).warnings == {}
    assert folder_service(folders, **{path: ["out"]}).warnings == {}
    with pytest.raises(ConfigError, match=r"fetch_list names 'softmax_0'; the model has out, save"):
        folder_service(folders, **{path: ["softmax_0"]})
    assert "not checked" in service(op__det__fetch_list=["any"]).warnings["op.det.fetch_list"]


def test_a_malformed_prototxt_is_named(folders):
    path = folders / "ocr_det_model" / "serving_server" / "serving_server_conf.prototxt"
    path.write_text("feed_var { name: }", "utf-8")
    with pytest.raises(ConfigError, match=r"serving_server_conf\.prototxt is malformed"):
        folder_service(folders)

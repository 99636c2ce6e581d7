"""Whose service a file was, and files of every shape that Paddle Serving takes."""

from pathlib import Path
from typing import Any

import pytest
from serving_config.configs import HERE, service

from ppocr_converters.repository.serving_config.explain import explain, table
from ppocr_converters.repository.serving_config.service import load_service

ACCEPTED = (HERE / "accepted.yml").read_text("utf-8").split("\n---\n")
SIZES = ("triton.det_limit_type", "triton.det_limit_side_len", "triton.drop_score")
PDSERVING_SAYS = {"triton.reference", "triton.det_limit_type"}


@pytest.mark.parametrize("text", ACCEPTED, ids=range(len(ACCEPTED)))
def test_a_file_that_paddle_serving_takes_is_explained_without_an_idle_word(text, tmp_path):
    for part in text.replace('"', " ").replace(",", " ").replace("}", " ").split():
        if part.endswith(("_serving", "_model", "/serving_server")) or part in ("det", "rec"):
            (tmp_path / part).mkdir(parents=True, exist_ok=True)
    path = tmp_path / "config.yml"
    path.write_text(text, "utf-8")
    rows = explain(load_service(path))
    (says,) = (line.split()[2:] for line in text.splitlines() if line.startswith("# says:"))
    expected = set(says) - {"!"}
    if "!" in says:
        expected |= {"triton.reference"}
        expected |= PDSERVING_SAYS if "triton.det_model" not in says else set()
    assert {row.key for row in rows if row.note} == expected
    assert not any("cannot be built" in row.note for row in rows)
    reference = next(row.value for row in rows if row.key == "triton.reference")
    assert (reference == "paddleocr_pdserving") == ("!" in says)
    assert table(rows)


def served(folder: Path, text: str) -> Any:
    """What becomes of a file with two models, as PaddleOCR's README has them converted."""
    for op in ("det", "rec"):
        (folder / f"ppocr_{op}_v4_serving").mkdir(exist_ok=True)
    path = folder / "config.yml"
    ops = ", ".join(
        f"{op}: {{local_service_conf: {{model_config: ppocr_{op}_v4_serving}}}}"
        for op in ("det", "rec")
    )
    path.write_text(f"{text}\nop: {{{ops}}}\n", "utf-8")
    return load_service(path)


def test_pdserving_computes_with_its_own_defaults_unless_told(tmp_path):
    found = served(tmp_path, "http_port: 9998")
    assert [found.document[path] for path in SIZES] == ["min", 736, 0.5]
    parameters = found.plan.models["det_preprocess"].parameters
    assert parameters["reference"] == "paddleocr_pdserving"
    assert (parameters["det_limit_type"], parameters["det_limit_side_len"]) == ("min", "736")
    assert "http_port 9998" in found.warnings["triton.reference"]
    assert "det_limit_type: long" in found.warnings["triton.det_limit_type"]
    found = served(tmp_path, "http_port: 9999\ntriton: {drop_score: 0, det_limit_type: long}")
    assert [found.document[path] for path in SIZES] == ["long", 736, 0]
    assert "though http_port 9999 is as in" in found.warnings["triton.reference"]
    assert "triton.det_limit_type" not in found.warnings
    found = served(tmp_path, "http_port: 9998\ntriton: {reference: paddle_serving}")
    assert [found.document[path] for path in SIZES] == ["max", 960, 0]
    assert PDSERVING_SAYS.isdisjoint(found.warnings)


@pytest.mark.parametrize(
    ("reader", "sizes"),
    [("if 'resize_short' in kwargs:", ["long", 960]), ("self.limit_side_len = 736", ["min", 736])],
)
def test_the_reader_beside_the_file_tells_how_pictures_were_sized(reader, sizes, tmp_path):
    (tmp_path / "ocr_reader.py").write_text(reader, "utf-8")
    found = served(tmp_path, "http_port: 9999")
    assert [found.document[path] for path in SIZES[:2]] == sizes
    assert "ocr_reader.py beside the file" in found.warnings["triton.reference"]
    assert "triton.det_limit_type" not in found.warnings


def test_the_example_is_known_by_its_port_and_a_file_without_signs_is_not():
    found = service(rpc_port=18090)
    says = "looks like Paddle Serving's OCR example (http_port 9999, rpc_port 18090)"
    assert says in found.effects["triton.reference"]
    assert "triton.reference" not in found.warnings
    assert service(rpc_port=9998).effects["triton.reference"].endswith("example (http_port 9999)")
    assert "the file may be of" in service(http_port=1234).warnings["triton.reference"]

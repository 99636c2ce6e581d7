"""POST /ocr: what clients of PaddleX's basic serving send, and its forms of answers."""

import base64
import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from cases import cases
from gateway.conftest import gateway_process
from paths import SAMPLES
from PIL import Image
from serving import ask

from ppocr_client import OcrClient, ServerInfo
from ppocr_client.options import ReadOptions
from ppocr_server.gateway.failures import Failure
from ppocr_server.gateway.paddlex import PaddleXRequest, options_of
from ppocr_server.gateway.uploads import file_of_base64, is_allowed

CASES = cases(__file__)

POSTER = (SAMPLES / "poster_zh.jpg").read_bytes()
#: Written by `record_paddlex.py` with PaddleX's own code.
RECORDED: dict[str, Any] = json.loads(
    (Path(__file__).parent / "published" / "paddlex-3.7.2.json").read_text("utf-8")
)
JSON = {"Content-Type": "application/json"}
pytestmark = pytest.mark.server
# What callers in the wild send beside the file, and their headers.
PADDLEX_SAMPLE: dict[str, Any] = {"fileType": 1}
# maxinger15/paperless-paddleocr, src/paperless_paddleocr/client.py, `ocr_image`: a page as PNG.
PAPERLESS = CASES["paperless"]
PAPERLESS_HEADERS = {"Accept": "application/json", "Authorization": "Bearer key"}
# langgenius/dify-official-plugins, tools/paddleocr: what tools/text_recognition.py sends with the
# defaults of its .yaml, `fileType` "auto"; headers of tools/utils.py, `make_paddleocr_api_request`.
DIFY = CASES["dify"]
DIFY_HEADERS = {"Client-Platform": "dify", "Authorization": "token secret"}
DIFY_OPTIONS: ReadOptions = {
    "use_angle_cls": True,
    "det_limit_side_len": 64,
    "det_limit_type": "min",
    "drop_score": 0,
}


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def post(address: str, data: bytes | str, **fields: Any) -> tuple[int, Any]:
    """Status and JSON of an answer, whose form is held to PaddleX's own schema."""
    file = data if isinstance(data, str) else base64_of(data)
    status, answer = ask(address, "POST", "/ocr", json.dumps({"file": file, **fields}), JSON)
    found = json.loads(answer)
    jsonschema.validate(found, RECORDED["schemas"]["answer" if status == 200 else "error"])
    assert found["errorCode"] == (0 if status == 200 else status)
    return status, found


def pages_of(address: str, data: bytes, **fields: Any) -> list[dict[str, Any]]:
    status, found = post(address, data, **fields)
    assert status == 200, found
    pages: list[dict[str, Any]] = found["result"]["ocrResults"]
    return pages


def pdf_of(*names: str) -> bytes:
    pages = [Image.open(SAMPLES / name).convert("RGB") for name in names]
    file = io.BytesIO()
    pages[0].save(file, "PDF", save_all=True, append_images=pages[1:], resolution=144)
    return file.getvalue()


@pytest.mark.parametrize(
    ("fields", "headers", "options"),
    [
        (PADDLEX_SAMPLE, {}, {}),
        (PAPERLESS, PAPERLESS_HEADERS, {"orientation": "off"}),
        (DIFY, DIFY_HEADERS, DIFY_OPTIONS),
    ],
    ids=["paddlex", "paperless", "dify"],
)
def test_what_callers_send_is_read_as_by_the_client(fields, headers, options, gateway, server):
    png = io.BytesIO()
    Image.open(io.BytesIO(POSTER)).save(png, "PNG")
    request = {"file": base64_of(png.getvalue()), **fields}
    jsonschema.validate(request, RECORDED["schemas"]["request"])
    status, answer = ask(gateway, "POST", "/ocr", json.dumps(request), {**JSON, **headers})
    assert status == 200, answer
    (page,) = json.loads(answer)["result"]["ocrResults"]
    with OcrClient(f"grpc://{server.grpc_url}") as client:
        lines = client.read(png.getvalue(), **options).lines
    pruned = page["prunedResult"]
    assert pruned["rec_texts"] == [line.text for line in lines]
    assert pruned["rec_scores"] == [line.score for line in lines]
    assert pruned["rec_polys"] == [line.box.round().astype(int).tolist() for line in lines]
    for left, top, right, bottom in pruned["rec_boxes"]:
        assert left < right
        assert top < bottom
    left, top, right, bottom = pruned["rec_boxes"][0]
    assert [left, top] == lines[0].box.min(axis=0).round().tolist()
    assert [right, bottom] == lines[0].box.max(axis=0).round().tolist()
    assert {"ocrImage", "inputImage"} <= set(page) or fields.get("visualize") is False


def test_a_request_has_the_fields_of_paddlex():
    assert set(PaddleXRequest.model_fields) == set(RECORDED["schemas"]["request"]["properties"])


def test_a_result_has_the_fields_of_paddlex(gateway, server):
    (page,) = pages_of(gateway, POSTER, visualize=False)
    original = RECORDED["result"]
    assert set(page["prunedResult"]) == set(original)
    for name in original:
        assert type(page["prunedResult"][name]) is type(original[name]), name
    params = page["prunedResult"]["text_det_params"]
    assert set(original["text_det_params"]) - set(params) == {"max_side_limit"}
    with OcrClient(f"grpc://{server.grpc_url}") as client:
        defaults = client.server_info().defaults
    assert params["limit_side_len"] == int(defaults["det_limit_side_len"])
    assert params["thresh"] == float(defaults["det_db_thresh"])


def test_options_take_effect_and_are_told(gateway):
    (page,) = pages_of(
        gateway, POSTER, visualize=False, textRecScoreThresh=0.995, textDetThresh=0.4
    )
    assert page["prunedResult"]["text_rec_score_thresh"] == 0.995
    assert page["prunedResult"]["text_det_params"]["thresh"] == 0.4
    (whole,) = pages_of(gateway, POSTER, visualize=False)
    counts = [len(one["prunedResult"]["rec_scores"]) for one in (page, whole)]
    assert 0 < counts[0] < counts[1]
    assert min(page["prunedResult"]["rec_scores"]) >= 0.995


def test_words_of_lines(gateway, server):
    (page,) = pages_of(gateway, POSTER, visualize=False, returnWordBox=True)
    with OcrClient(f"grpc://{server.grpc_url}") as client:
        lines = client.read(POSTER, return_words=True).lines
    pruned = page["prunedResult"]
    assert pruned["return_word_box"] is True
    assert pruned["text_word"] == [[word.text for word in line.words] for line in lines]
    for boxes, line in zip(pruned["text_word_boxes"], lines, strict=True):
        corners = [[*word.box.min(axis=0), *word.box.max(axis=0)] for word in line.words]
        assert boxes == pytest.approx(np.rint(corners))
    assert sum(map(len, pruned["text_word"])) > len(lines)


def test_pages_of_a_pdf_and_of_a_tiff(gateway):
    names = ("poster_zh.jpg", "landscape.jpg")
    status, found = post(gateway, pdf_of(*names), fileType=0, logId="mine", visualize=False)
    assert (status, found["logId"]) == (200, "mine")
    info = found["result"]["dataInfo"]
    assert (info["type"], info["numPages"]) == ("pdf", 2)
    assert info["pages"][0] == dict(zip(("width", "height"), (720, 960), strict=True))
    counts = [len(page["prunedResult"]["rec_texts"]) for page in found["result"]["ocrResults"]]
    assert counts[0] > 5
    assert counts[1] == len(RECORDED["blank"]["rec_boxes"]) == 0
    file = io.BytesIO()
    one = Image.new("RGB", (90, 60), "white")
    one.save(file, "TIFF", save_all=True, append_images=[one])
    _, found = post(gateway, file.getvalue(), visualize=False)
    assert found["result"]["dataInfo"]["type"] == "tiff"
    _, found = post(gateway, POSTER, visualize=False)
    assert found["result"]["dataInfo"] == {"width": 720, "height": 960, "type": "image"}


def test_pictures_of_an_answer(gateway):
    (page,) = pages_of(gateway, POSTER, visualize=True)
    sizes = {}
    for name in ("inputImage", "ocrImage"):
        with Image.open(io.BytesIO(base64.b64decode(page[name]))) as picture:
            assert picture.format == "JPEG"
            sizes[name] = picture.size
    assert sizes == {"inputImage": (720, 960), "ocrImage": (1440, 960)}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"useDocUnwarping": True}, "useDocUnwarping is true"),
        ({"useDocOrientationClassify": True}, "useDocOrientationClassify is true"),
        ({"textDetLimitType": "mean"}, "textDetLimitType is 'mean'"),
        ({"textDetThresh": 2}, "textDetThresh is"),
        ({"file": "http://127.0.0.1:1/a.png"}, "the file is an address; allowed: base64 text"),
        ({"file": "%%%"}, "file begins with '%%%' and is not base64 text: Only base64 data is "),
        ({"file": base64_of(b"no picture at all")}, "none of JPEG"),
    ],
)
def test_what_is_not_served_is_refused(fields, said, gateway):
    status, found = post(gateway, POSTER, **{"logId": "l", **fields})
    assert (status, found["logId"]) == (422, "l")
    assert said in found["errorMsg"]


def test_lines_are_not_turned_without_a_classifier():
    request = PaddleXRequest(file="", useTextlineOrientation=True)
    without = ServerInfo("", "", {}, {}, None, (), None, {}, {})
    with pytest.raises(Failure, match="no classifier of lines"):
        options_of(request, without)
    assert options_of(request, dataclasses.replace(without, models={"cls": ("1",)}))


def test_bodies_are_refused_as_by_paddlex(gateway):
    for one in RECORDED["refused"]:
        status, answer = ask(gateway, "POST", "/ocr", one["body"], JSON)
        found, expected = json.loads(answer), one["answer"]
        assert (status, found["errorCode"]) == (one["status"], expected["errorCode"])
        ours, theirs = json.loads(found["errorMsg"]), json.loads(expected["errorMsg"])
        assert [(e["type"], e["loc"]) for e in ours] == [(e["type"], e["loc"]) for e in theirs]
        assert found["logId"] == expected["logId"] or "logId" not in one["body"]


def test_json_that_is_not_said_to_be_json_is_told(gateway):
    form = {"Content-Type": "application/x-www-form-urlencoded"}  # as curl -d sends it
    for path in ("/ocr", "/v1/ocr"):
        status, answer = ask(gateway, "POST", path, b'{"file": ""}', form)
        assert status == 422
        assert "with the header Content-Type: application/json" in answer.decode()


def test_a_body_that_is_no_text_is_refused(gateway):
    status, answer = ask(gateway, "POST", "/ocr", b"\xfe\xff", JSON)
    jsonschema.validate(json.loads(answer), RECORDED["schemas"]["error"])
    assert status == json.loads(answer)["errorCode"] == 422


def test_without_a_log_id_it_is_the_requests(gateway):
    named = {**JSON, "X-Request-Id": "scan-7"}
    status, answer = ask(gateway, "GET", "/health", headers=named)
    assert (status, json.loads(answer)) == (200, RECORDED["health"] | {"logId": "scan-7"})
    for body in ("{", json.dumps({"file": "%%%"})):
        assert json.loads(ask(gateway, "POST", "/ocr", body, named)[1])["logId"] == "scan-7"


def test_a_timeout_that_is_none_is_refused_in_paddlexs_form(gateway):
    status, answer = ask(gateway, "POST", "/ocr?timeout=soon", b"{}", JSON)
    jsonschema.validate(json.loads(answer), RECORDED["schemas"]["error"])
    assert status == json.loads(answer)["errorCode"] == 422


PREFIXES = ("https://example.org/scans/", "http://10.0.0.1:8080")


@pytest.mark.parametrize(("url", "allowed"), CASES["addresses"])
def test_only_addresses_below_a_prefix_are_allowed(url, allowed):
    assert is_allowed(url, PREFIXES) is allowed
    assert not is_allowed(url, ())


def test_base64_in_any_spelling():
    data = bytes(range(256))
    text = base64_of(data)
    lines = "\n".join(text[i : i + 76] for i in range(0, len(text), 76))
    url_safe = base64.urlsafe_b64encode(data).decode()
    for spelling in (text, lines, url_safe, f"data:image/png;base64,{text}"):
        assert file_of_base64(spelling, "file") == data


def test_addresses_below_a_prefix_are_fetched(server, files):
    prefix = f"{files}/open/"
    with gateway_process(f"grpc://{server.grpc_url}", "--allow-url-prefix", prefix) as gateway:
        assert post(gateway, f"{prefix}sign.jpg", visualize=False)[0] == 200
        for path in ("/open/../shut.jpg", "/open/%2e%2e/shut.jpg", "/shut.jpg", "/open/moved"):
            status, found = post(gateway, f"{files}{path}", visualize=False)
            assert status == 422, path
            assert "allowed" in found["errorMsg"] or "status 302" in found["errorMsg"]

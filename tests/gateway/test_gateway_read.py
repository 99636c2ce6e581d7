"""POST /read: what is sent, what is answered."""

import base64
import http.client
import io
import json
import subprocess
from typing import Any

import pytest
from cases import cases
from paths import ROOT
from PIL import Image
from serving import ask

from ppocr_client import OcrClient, OcrResult
from ppocr_client.exports.pdf import to_pdf
from ppocr_server.gateway.parameters import FORMATS

pytestmark = pytest.mark.server
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def expected(server, picture) -> OcrResult:
    with OcrClient(f"grpc://{server.grpc_url}") as client:
        return client.read(picture)


@pytest.fixture(scope="module")
def two_pages(picture) -> bytes:
    return to_pdf([(picture, OcrResult(())), (picture, OcrResult(()))])


def read(address: str, body: bytes, query: str = "", **headers: str) -> Any:
    status, answer = ask(address, "POST", f"/read{query}", body, headers)
    assert status == 200, answer
    return json.loads(answer)


def form_of(files: dict[str, bytes], **fields: str) -> tuple[bytes, dict[str, str]]:
    """A multipart body, and its header."""
    parts = [f'name="{name}"\r\n\r\n{value}'.encode() for name, value in fields.items()]
    parts += [b'name="f"; filename="%s"\r\n\r\n%s' % (k.encode(), v) for k, v in files.items()]
    body = b"".join(b"--x\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in parts)
    return body + b"--x--\r\n", {"Content-Type": "multipart/form-data; boundary=x"}


def test_a_picture_is_read_as_by_the_client(gateway, picture, expected):
    document = read(gateway, picture)
    assert document == {"page_count": 1, "pages": [{"page": 1, **expected.to_dict()}]}
    assert expected.lines


def test_options_reach_the_pipeline_from_query_form_and_json(gateway, picture):
    text = base64.b64encode(picture).decode()
    form, header = form_of({"a.jpg": picture}, drop_score="1")
    for document in (
        read(gateway, picture, "?drop_score=1"),
        read(gateway, form, **header),
        read(gateway, json.dumps({"file": text, "drop_score": 1}).encode(), **JSON),
    ):
        assert document["pages"][0]["lines"] == []


def test_words_come_where_they_are_asked_for(gateway, picture):
    (page,) = read(gateway, picture, "?return_words=true")["pages"]
    assert ["".join(w["text"] for w in line["words"]) for line in page["lines"]] == [
        line["text"].replace(" ", "") for line in page["lines"]
    ]


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in ("json", "ndjson")])
def test_each_format_is_that_of_the_client(gateway, picture, expected, name):
    status, body = ask(gateway, "POST", f"/read?format={name}", picture)
    accept = {"Accept": f"text/csv, {FORMATS[name]};q=0.5"}
    by_header = ask(gateway, "POST", "/read", picture, accept)[1]
    assert status == 200
    # A PDF file holds the second in which it was made, and a number of its own.
    assert by_header[:8] == body[:8] if name == "pdf" else by_header == body
    text = expected.lines[0].text
    if name == "pdf":
        seen = subprocess.run(["pdftotext", "-", "-"], input=body, capture_output=True, check=True)
        body = seen.stdout
    assert text[0] in body.decode()


def test_pages_of_a_pdf_file_come_as_they_are_read(gateway, two_pages):
    document = read(gateway, two_pages, "?dpi=72")
    status, body = ask(gateway, "POST", "/read?format=ndjson&dpi=72", two_pages)
    lines = [json.loads(line) for line in body.splitlines()]
    assert status == 200
    assert [(line.pop("page_count"), line) for line in lines] == [
        (2, page) for page in document["pages"]
    ]
    assert [page["page"] for page in document["pages"]] == [1, 2]
    assert read(gateway, two_pages, "?pages=2&dpi=72")["pages"] == document["pages"][1:]


def test_a_tiff_file_of_two_pages(gateway, picture):
    file = io.BytesIO()
    page = Image.open(io.BytesIO(picture))
    page.save(file, "TIFF", save_all=True, append_images=[page])
    first, second = read(gateway, file.getvalue())["pages"]
    assert first["lines"] == second["lines"] != []


def test_several_files_are_answered_in_order_each_with_its_own_failure(gateway, picture, expected):
    form, header = form_of({"good.jpg": picture, "bad.jpg": b"garbage"})
    good, bad = read(gateway, form, **header)["files"]
    assert (good["name"], good["pages"][0]["lines"]) == ("good.jpg", expected.to_dict()["lines"])
    assert bad["name"] == "bad.jpg"
    assert bad["error"]["code"] == "invalid_file"
    text = base64.b64encode(picture).decode()
    body = json.dumps({"files": [text, f"data:image/jpeg;base64,{text}"]}).encode()
    first, second = read(gateway, body, **JSON)["files"]
    assert first["pages"] == second["pages"] == good["pages"]
    status, answer = ask(gateway, "POST", "/read?format=text", form, header)
    assert (status, b"takes one file, 2 were sent" in answer) == (400, True)


@pytest.mark.parametrize(
    ("query", "body", "headers", "status", "code", "words"), cases(__file__)["wrong"]
)
def test_what_is_wrong_is_said(gateway, query, body, headers, status, code, words):
    got, answer = ask(gateway, "POST", f"/read{query}", body, headers)
    error = json.loads(answer)["error"]
    assert (got, error["code"]) == (status, code), error
    assert words in error["message"]


def test_a_file_of_one_bad_page_keeps_the_others(gateway, picture):
    small = io.BytesIO()
    page = Image.open(io.BytesIO(picture))
    # A strip of one pixel, which the pipeline refuses by its aspect.
    page.save(small, "TIFF", save_all=True, append_images=[Image.new("L", (2000, 1))])
    first, second = read(gateway, small.getvalue())["pages"]
    assert first["lines"]
    assert second["error"]["code"] == "invalid_file"
    status, body = ask(gateway, "POST", "/read?format=text", small.getvalue())
    assert (status, b"page 2: " in body) == (400, True)


def test_a_connection_serves_many_requests(gateway, picture):
    connection = http.client.HTTPConnection(gateway, timeout=60)
    for _ in range(2):
        connection.request("POST", "/read", picture)
        with connection.getresponse() as answer:
            assert (answer.status, b"lines" in answer.read()) == (200, True)
    connection.close()


def test_the_sample_is_read_by_the_line_of_the_readme(gateway, picture):
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    command = next(line for line in lines if line.startswith("curl") and "/read" in line)
    words = command.replace("http://127.0.0.1:8080", f"http://{gateway}").split()
    run = subprocess.run([*words, "-s"], cwd=ROOT, capture_output=True, check=True)
    assert json.loads(run.stdout)["pages"][0]["lines"]

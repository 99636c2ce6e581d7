"""The addresses of the gateway's web page, without a browser."""

import http.client
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pypdfium2 as pdfium
import pytest
from cases import cases
from client.samples import SQUEEZED, STRIP, TEXTS
from gateway.conftest import gateway_process
from paths import SIGN
from PIL import Image
from starlette.datastructures import Headers

from ppocr_client.options import OPTIONS
from ppocr_server.page.app import refusal
from ppocr_server.page.document_store import DocumentStore, shown, thumbnail


def ask(
    page: str, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, http.client.HTTPMessage, bytes]:
    """Status, headers and body of an answer."""
    connection = http.client.HTTPConnection(urlsplit(page).netloc, timeout=60)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def reason(answer: tuple[int, http.client.HTTPMessage, bytes]) -> tuple[int, str]:
    return answer[0], json.loads(answer[2])["error"]["message"]


def send(page: str, data: bytes, name: str) -> dict[str, Any]:
    status, _, body = ask(page, "POST", f"/documents?name={quote(name)}", data)
    assert status == 201, body
    return json.loads(body)


def two_pages(path: Path) -> bytes:
    sign = Image.open(SIGN)
    sign.save(path, save_all=True, append_images=[sign.rotate(180)], resolution=200)
    return path.read_bytes()


@pytest.mark.server
def test_the_page_and_what_it_tells(page, server):
    status, headers, body = ask(page, "GET", "/")
    assert status == 200
    assert body.startswith(b"<!doctype html>")
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    for name in ("app.js", "style.css", "icon.svg", "example.jpg"):
        assert ask(page, "GET", f"/{name}")[0] == 200
    about = json.loads(ask(page, "GET", "/about")[2])
    assert about["ready"] is True
    assert about["url"] == f"grpc://{server.grpc_url}"
    assert [option["name"] for option in about["options"]] == list(OPTIONS)
    side = about["options"][0]
    assert (side["type"], side["low"], side["high"], side["default"]) == ("int", 32, 4096, "960")


@pytest.mark.server
def test_a_pdf_is_read_page_by_page_and_written(page, tmp_path):
    taken = send(page, two_pages(tmp_path / "two.pdf"), "茶 two.pdf")
    assert (taken["pages"], taken["pictured"]) == (2, True)
    folder = f"/documents/{taken['key']}"
    assert reason(ask(page, "GET", f"{folder}/files/text")) == (
        409,
        "nothing of 茶 two.pdf has been read",
    )
    status, headers, picture = ask(page, "GET", f"{folder}/pages/1/picture")
    assert (status, headers["Content-Type"], picture[:2]) == (200, "image/jpeg", b"\xff\xd8")
    read = json.loads(ask(page, "POST", f"{folder}/pages/1/read", b"{}")[2])
    assert [line["text"] for line in read["lines"]] == TEXTS
    assert (read["width"], read["height"]) == Image.open(SIGN).size
    assert {"ocr", "det", "rec"} <= set(read["steps"])
    assert read["steps"]["ocr"]["calls"] == 1
    assert 0 < read["steps"]["det"]["ms"] < read["ms"]
    strict = json.loads(ask(page, "POST", f"{folder}/pages/2/read", b'{"drop_score": 1}')[2])
    assert strict["lines"] == []
    status, headers, content = ask(page, "GET", f"{folder}/files/pdf")
    name = quote("茶 two.pdf.pdf")
    assert headers["Content-Disposition"] == f"attachment; filename*=UTF-8''{name}"
    assert (status, len(pdfium.PdfDocument(content))) == (200, 2)
    assert ask(page, "GET", f"{folder}/files/drawn?page=1")[2].startswith(b"\x89PNG")
    assert reason(ask(page, "GET", f"{folder}/files/drawn?page=3"))[0] == 409
    assert reason(ask(page, "GET", f"{folder}/files/doc"))[0] == 404
    assert reason(ask(page, "GET", f"{folder}/pages/3/picture")) == (
        404,
        "茶 two.pdf has 2 pages, no page 3",
    )
    assert ask(page, "DELETE", folder)[0] == 204
    assert reason(ask(page, "POST", f"{folder}/pages/1/read", b"{}"))[0] == 410


@pytest.mark.server
def test_reasons_are_the_servers_own(page):
    strip = f"/documents/{send(page, STRIP, 'strip.bmp')['key']}/pages/1/read"
    (said,) = json.loads(ask(page, "POST", strip, b"{}")[2])["warnings"]
    assert said.startswith(SQUEEZED)
    taken = send(page, b"# no picture at all", "../notes.md")
    assert taken["pictured"] is False
    read = f"/documents/{taken['key']}/pages/1/read"
    status, why = reason(ask(page, "POST", read, b"{}"))
    assert status == 400
    assert "IMAGE cannot be decoded" in why
    assert reason(ask(page, "POST", read, b'{"drop_score": 2}')) == (
        400,
        "drop_score is 2; allowed: a number from 0 to 1",
    )
    assert reason(ask(page, "POST", read, b"nonsense"))[0] == 400
    assert reason(ask(page, "POST", read, b"[]")) == (400, "the options are []; send an object")
    assert reason(ask(page, "GET", f"/documents/{taken['key']}/pages/1/picture"))[0] == 400
    assert reason(ask(page, "POST", "/documents?name=x", b"")) == (400, "x is empty")
    large = {"Content-Length": str(256 * 2**20 + 1)}
    answer = ask(page, "POST", "/documents?name=x", None, **large)
    status, why = reason(answer)
    assert status == 413
    assert "has 268435457 bytes or more; allowed: 268435456; send less" in why
    status, why = reason(ask(page, "POST", "/documents?name=x.pdf", b"%PDF-1.7 broken"))
    assert status == 400
    assert "cannot open the PDF file" in why


@pytest.mark.server
def test_other_sites_are_refused(page):
    """By the rules of `test_who_is_refused`."""
    assert reason(ask(page, "POST", "/documents", b"x", Origin="https://evil.example"))[0] == 403
    assert reason(ask(page, "GET", "/about", Host="rebound.example"))[0] == 403
    assert ask(page, "GET", "/", Host=f"localhost:{urlsplit(page).port}")[0] == 200
    assert reason(ask(page, "GET", "/no-such-file.js"))[0] == 404


@pytest.mark.server
def test_there_is_no_page_where_a_token_is_wanted(server, tmp_path):
    file = tmp_path / "token"
    file.write_text("a-token-of-twenty-four-characters")
    with gateway_process(f"grpc://{server.grpc_url}", "--token-file", str(file)) as address:
        assert ask(f"http://{address}/", "GET", "/")[0] == 401


@pytest.mark.parametrize(("headers", "refused"), cases(__file__)["headers"])
def test_who_is_refused(headers, refused):
    assert (refusal(Headers(headers), {"localhost", "ocr.local"}) is not None) is refused


def test_the_oldest_documents_make_room(tmp_path):
    shelf = DocumentStore(tmp_path, dpi=100, capacity=250)
    keys = []
    for number in range(3):
        path = shelf.new_path()
        path.write_bytes(b"x" * 100)
        keys.append(shelf.add(path, f"{number}.jpg")[0])
    assert [shelf.get(key) is not None for key in keys] == [False, True, True]
    assert len(list(tmp_path.iterdir())) == 2
    large = shelf.new_path()
    large.write_bytes(b"x" * 1000)
    key, kept = shelf.add(large, "large.jpg")
    assert shelf.get(key) is kept
    shelf.remove(key)
    shelf.remove(key)
    assert list(tmp_path.iterdir()) == []


def test_pictures_are_made_such_that_a_browser_shows_them(tmp_path):
    Image.new("RGB", (400, 300), "red").save(tmp_path / "a.tif")
    content, kind = shown((tmp_path / "a.tif").read_bytes())
    assert (kind, content[:2]) == ("image/bmp", b"BM")
    assert shown(SIGN.read_bytes()) == (SIGN.read_bytes(), "image/jpeg")
    turned = Image.new("RGB", (400, 300), "red")
    turned.getexif()[0x0112] = 6
    turned.save(tmp_path / "b.jpg", exif=turned.getexif())
    small, kind = thumbnail((tmp_path / "b.jpg").read_bytes())
    (tmp_path / "small").write_bytes(small)
    assert kind == "image/webp"
    assert Image.open(tmp_path / "small").size == (180, 240)

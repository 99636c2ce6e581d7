"""The addresses of the gateway's web page, without a browser."""

import http.client
import io
import json
from typing import Any
from urllib.parse import quote, urlsplit

import pypdfium2 as pdfium
import pytest
from cases import cases
from client.samples import SQUEEZED, STRIP, TEXTS
from gateway.conftest import gateway_process
from paths import SIGN
from PIL import Image
from serving import exchange
from starlette.datastructures import Headers

from ppocr_client.options import OPTIONS
from ppocr_server.page.app import refusal
from ppocr_server.page.document_store import DocumentStore, shown, thumbnail


def ask(
    page: str, method: str, path: str, body: bytes = b"", **headers: str
) -> tuple[int, http.client.HTTPMessage, bytes]:
    return exchange(urlsplit(page).netloc, method, path, body, headers)


def reason(page: str, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, str]:
    """Status and message of a request that is refused."""
    status, _, body = ask(page, method, path, body, **headers)
    return status, json.loads(body)["error"]["message"]


def send(page: str, data: bytes, name: str) -> dict[str, Any]:
    status, _, body = ask(page, "POST", f"/documents?name={quote(name)}", data)
    assert status == 201, body
    return json.loads(body)


@pytest.mark.server
def test_the_page_and_what_it_tells(page, server):
    status, headers, body = ask(page, "GET", "/")
    assert status == 200
    assert body.startswith(b"<!doctype html>")
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert ask(page, "GET", "/example.jpg")[0] == 200
    about = json.loads(ask(page, "GET", "/about")[2])
    assert about["ready"] is True
    assert about["url"] == f"grpc://{server.grpc_url}"
    assert [option["name"] for option in about["options"]] == list(OPTIONS)
    side = about["options"][0]
    assert (side["type"], side["low"], side["high"], side["default"]) == ("int", 32, 4096, "960")


@pytest.mark.server
def test_a_pdf_is_read_page_by_page_and_written(page, tmp_path):
    sign, file = Image.open(SIGN), tmp_path / "two.pdf"
    sign.save(file, save_all=True, append_images=[sign.rotate(180)], resolution=200)
    taken = send(page, file.read_bytes(), "茶 two.pdf")
    assert (taken["pages"], taken["pictured"]) == (2, True)
    folder = f"/documents/{taken['key']}"
    unread = reason(page, "GET", f"{folder}/files/text")
    assert unread == (409, "nothing of 茶 two.pdf has been read")
    status, headers, picture = ask(page, "GET", f"{folder}/pages/1/picture")
    assert (status, headers["Content-Type"], picture[:2]) == (200, "image/jpeg", b"\xff\xd8")
    read = json.loads(ask(page, "POST", f"{folder}/pages/1/read", b"{}")[2])
    assert [line["text"] for line in read["lines"]] == TEXTS
    assert (read["width"], read["height"]) == sign.size
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
    assert reason(page, "GET", f"{folder}/files/drawn?page=3")[0] == 409
    assert reason(page, "GET", f"{folder}/files/doc")[0] == 404
    third = reason(page, "GET", f"{folder}/pages/3/picture")
    assert third == (404, "茶 two.pdf has 2 pages, no page 3")
    assert ask(page, "DELETE", folder)[0] == 204
    assert reason(page, "POST", f"{folder}/pages/1/read", b"{}")[0] == 410


@pytest.mark.server
def test_reasons_are_the_servers_own(page):
    strip = f"/documents/{send(page, STRIP, 'strip.bmp')['key']}/pages/1/read"
    (said,) = json.loads(ask(page, "POST", strip, b"{}")[2])["warnings"]
    assert said.startswith(SQUEEZED)
    taken = send(page, b"# no picture at all", "../notes.md")
    assert taken["pictured"] is False
    read = f"/documents/{taken['key']}/pages/1/read"
    for path, body, said in (
        (read, b"{}", "IMAGE cannot be decoded"),
        (read, b'{"drop_score": 2}', "drop_score is 2; allowed: a number from 0 to 1"),
        (read, b"nonsense", "the options are not JSON"),
        (read, b"[]", "the options are []; send an object"),
        ("/documents?name=x", b"", "x is empty"),
        ("/documents?name=x.pdf", b"%PDF-1.7 broken", "cannot open the PDF file"),
    ):
        status, why = reason(page, "POST", path, body)
        assert (status, said in why) == (400, True), why
    assert reason(page, "GET", f"/documents/{taken['key']}/pages/1/picture")[0] == 400
    large = {"Content-Length": str(256 * 2**20 + 1)}
    status, why = reason(page, "POST", "/documents?name=x", b"", **large)
    assert status == 413
    assert "has 268435457 bytes or more; allowed: 268435456; send less" in why


@pytest.mark.server
def test_other_sites_are_refused(page):
    """By the rules of `test_who_is_refused`."""
    assert reason(page, "POST", "/documents", b"x", Origin="https://evil.example")[0] == 403
    assert reason(page, "GET", "/about", Host="rebound.example")[0] == 403
    assert ask(page, "GET", "/", Host=f"localhost:{urlsplit(page).port}")[0] == 200
    assert reason(page, "GET", "/no-such-file.js")[0] == 404


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
    for _ in range(2):
        shelf.remove(key)
    assert list(tmp_path.iterdir()) == []


def test_pictures_are_made_such_that_a_browser_shows_them():
    turned, tif, jpeg = Image.new("RGB", (400, 300), "red"), io.BytesIO(), io.BytesIO()
    turned.save(tif, "TIFF")
    content, kind = shown(tif.getvalue())
    assert (kind, content[:2]) == ("image/bmp", b"BM")
    assert shown(SIGN.read_bytes()) == (SIGN.read_bytes(), "image/jpeg")
    turned.getexif()[0x0112] = 6
    turned.save(jpeg, "JPEG", exif=turned.getexif())
    small, kind = thumbnail(jpeg.getvalue())
    assert kind == "image/webp"
    assert Image.open(io.BytesIO(small)).size == (180, 240)

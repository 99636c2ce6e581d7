"""`ppocr-client read` of folders, documents and everything else that has pages."""

import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from client.samples import (
    BLANK,
    PROGRAM,
    SQUEEZED,
    STRIP,
    TEXTS,
    heed_interrupts,
    pdf_with_a_huge_page,
)
from paths import SAMPLES, SIGN
from PIL import Image
from serving import eventually

from ppocr_client.cli import main
from ppocr_client.commands.arguments import describe
from ppocr_client.documents.inputs import InputError, find_documents
from ppocr_client.documents.pages import parse_pages

pdfium = pytest.importorskip("pypdfium2")
# No password makes these keys.
LOCKED = b"""%%PDF-1.4
1 0 obj << /Type /Catalog /Pages 2 0 R >> endobj
2 0 obj << /Type /Pages /Kids [] /Count 0 >> endobj
3 0 obj << /Filter /Standard /V 1 /R 2 /P -4 /O <%s> /U <%s> >> endobj
trailer << /Root 1 0 R /Encrypt 3 0 R /ID [<00> <00>] >>
""" % (b"11" * 32, b"22" * 32)


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder of three pictures, one of them in a folder of its own, and a file that is none."""
    inside = tmp_path / "in"
    (inside / "deep").mkdir(parents=True)
    (inside / "b.jpg").write_bytes(SIGN.read_bytes())
    (inside / "a.BMP").write_bytes(BLANK)
    (inside / "deep" / "a.BMP").write_bytes(BLANK)
    (inside / "notes.md").write_text("no picture")
    return inside


def test_folders_patterns_and_names(folder, monkeypatch):
    def names(*words, recursive=False):
        return [document.name for document in find_documents(words, recursive=recursive)]

    assert names(str(folder)) == ["a.BMP", "b.jpg"]
    assert names(str(folder), recursive=True) == ["a.BMP", "b.jpg", "deep/a.BMP"]
    assert names(str(folder / "*.jpg"), str(folder / "b.jpg")) == ["b.jpg"]
    assert names(str(folder / "**" / "*.BMP")) == ["a.BMP", "a.BMP"]
    assert names("-") == ["stdin"]
    with pytest.raises(InputError, match=r"is an address: curl -sf 'http://h/a.png' \| ppocr"):
        names("http://h/a.png")


@pytest.mark.parametrize(
    ("text", "ranges"),
    [("2", [(2, 2)]), ("1-3,7,9-", [(1, 3), (7, 7), (9, None)]), ("-4", [(1, 4)])],
)
def test_pages_are_ranges(text, ranges):
    assert parse_pages(text) == ranges


@pytest.mark.parametrize("text", ["", "-", "0", "3-2", "a", "1;2", "1,,2"])
def test_what_is_no_range_is_refused(text):
    with pytest.raises(ValueError, match="1-3,7,9-"):
        parse_pages(text)


def test_progress_says_rate_time_left_and_failures():
    assert describe(0, 10, 0, 0) == "0/10 · 0.0/s · 0:00 left"
    assert describe(20, 100, 3, 10) == "20/100 · 2.0/s · 0:40 left · 3 failed"
    assert describe(1, 10001, 0, 1) == "1/10001 · 1.0/s · 2:46:40 left"


@pytest.mark.server
def test_a_folder_goes_into_a_folder_and_is_not_read_twice(server, folder, tmp_path, capsys):
    out = tmp_path / "out"
    order = ["read", str(folder), "--recursive", "--url", server.grpc_url, "--out", str(out)]
    assert main([*order, "--format", "text"]) == 0
    written = {path.relative_to(out).as_posix(): path for path in out.rglob("*") if path.is_file()}
    assert set(written) == {"a.BMP.txt", "b.jpg.txt", "deep/a.BMP.txt"}
    assert written["b.jpg.txt"].read_text(encoding="utf-8").splitlines() == TEXTS
    times = {name: path.stat().st_mtime_ns for name, path in written.items()}
    time.sleep(0.02)
    (folder / "b.jpg").touch()
    (folder / "a.BMP").write_bytes(STRIP)
    written["a.BMP.txt"].unlink()
    assert main([*order, "--format", "text", "--resume"]) == 0
    again = {name: path.stat().st_mtime_ns for name, path in written.items()}
    assert {name for name in times if times[name] != again[name]} == {"a.BMP.txt", "b.jpg.txt"}
    out_text, err = capsys.readouterr()
    assert out_text == ""
    assert "1 of 3 were read before" in err
    assert err.count(f"a.BMP: {SQUEEZED}") == 1


@pytest.mark.server
@pytest.mark.parametrize("form", ["text", "json", "jsonl", "tsv", "hocr", "alto", "pdf"])
def test_every_format_of_a_pdf_of_two_pages(server, tmp_path, form):
    source, out = tmp_path / "two.pdf", tmp_path / "result"
    page = Image.open(SIGN).resize((310, 450))
    page.save(source, save_all=True, append_images=[page.resize((280, 406))], resolution=100)
    order = ["read", str(source), "--url", server.grpc_url, "--dpi", "100", "--format", form]
    assert main([*order, "--out", str(out / "x.out")]) == 0
    data = (out / "x.out").read_bytes()
    if form == "pdf":
        document = pdfium.PdfDocument(data)
        sizes = [page.get_size() for page in document]
        assert np.allclose(sizes, [(223, 324), (202, 292)], atol=2)
        for page in document:
            found = page.get_textpage().get_text_range().replace(" ", "")
            assert all(text.replace(" ", "") in found for text in TEXTS)
        return
    text = data.decode()
    assert text.count(TEXTS[0]) == 2
    if form == "text":
        assert [page.splitlines()[0] for page in text.split("\f")] == TEXTS[:1] * 2
    if form == "json":
        assert [page["page"] for page in json.loads(text)["pages"]] == [1, 2]
    if form == "jsonl":
        records = [json.loads(line) for line in text.splitlines()]
        assert [record["page"] for record in records] == [1, 2]
        assert np.allclose([record["width"] for record in records], [310, 280], atol=1)


@pytest.mark.server
def test_chosen_pages_of_a_tiff_are_drawn_and_numbered(server, tmp_path, capsys):
    source = tmp_path / "three.tif"
    blank = Image.new("RGB", (60, 40), "white")
    blank.save(source, save_all=True, append_images=[Image.open(SIGN), blank])
    draw = str(tmp_path / "drawn.png")
    order = ["read", str(source), "--url", server.grpc_url, "--json", "--pages", "2-"]
    assert main([*order, "--draw", draw]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(record["page"], len(record["lines"])) for record in records] == [(2, 2), (3, 0)]
    assert Image.open(tmp_path / "drawn-2.png").size == (1240, 900)
    assert Image.open(tmp_path / "drawn-3.png").size == (120, 40)
    assert main([*order[:-1], "7"]) == 1
    assert "has 3 pages, none of those asked for" in capsys.readouterr().err


@pytest.mark.server
def test_standard_input(server, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(SIGN.read_bytes())))
    assert main(["read", "-", "--url", server.grpc_url, "--format", "text"]) == 0
    assert capsys.readouterr().out.splitlines() == TEXTS


@pytest.mark.server
def test_a_reader_that_has_seen_enough_is_no_accident(server):
    command = f"{PROGRAM} read {SIGN} --url {server.grpc_url} | true"
    ran = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert ran.stderr == ""


@pytest.mark.server
def test_a_font_that_is_none_is_said(server, tmp_path, capsys):
    order = ["read", str(SIGN), "--url", server.grpc_url, "--draw", str(tmp_path / "drawn.png")]
    assert main([*order, "--font", str(SIGN)]) == 1
    assert f"ppocr-client: cannot use the font {SIGN}" in capsys.readouterr().err


@pytest.mark.server
def test_pages_that_were_read_are_kept_when_another_fails(server, tmp_path, capsys):
    source, out = pdf_with_a_huge_page(tmp_path / "two.pdf"), tmp_path / "out"
    order = ["read", str(source), "--url", server.grpc_url, "--dpi", "100", "--format"]
    partial = out / "two.pdf.json.partial"
    for resume in ([], ["--resume"]):  # it is not taken for finished
        assert main([*order, "json", "--out", str(out), *resume]) == 1
        err = capsys.readouterr().err
        assert "page 2: page 2 has 20000 x 13333 pixels" in err
        assert f"1 of 2 pages were read; they are in {partial}" in err
        assert [path.name for path in out.iterdir()] == [partial.name]
        pages = json.loads(partial.read_text(encoding="utf-8"))["pages"]
        assert [line["text"] for line in pages[0]["lines"]] == TEXTS
        assert list(pages[1]) == ["page", "error"]
    assert main([*order, "text"]) == 1
    assert capsys.readouterr().out == "\n".join(TEXTS) + "\n\f"
    assert main([*order, "json", "--out", str(out), "--pages", "1"]) == 0
    assert [path.name for path in out.iterdir()] == ["two.pdf.json"]


@pytest.mark.server
def test_interrupted_twice_nothing_is_lost_and_nothing_read_twice(server, tmp_path):
    inside, out = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    for index in range(150):
        bad = index % 25 == 7
        (inside / f"{index:03}.bmp").write_bytes(BLANK[:50] if bad else BLANK)
    command = [PROGRAM, "read", inside, "--format", "jsonl"]
    command += ["--out", out, "--resume", "--url", server.grpc_url]

    def done() -> set[Path]:
        return set(out.glob("*.jsonl"))

    for number, stop in enumerate((signal.SIGINT, signal.SIGKILL), 1):
        running = subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, preexec_fn=heed_interrupts
        )
        assert eventually(lambda number=number: len(done()) >= 30 * number, 120)
        running.send_signal(stop)
        _, err = running.communicate(timeout=60)
        assert running.returncode == (130 if stop == signal.SIGINT else -stop)
        assert ("--resume goes on from here" in err) == (stop == signal.SIGINT)
        assert 30 * number <= len(done()) < 144
    times = {path: path.stat().st_mtime_ns for path in done()}
    last = subprocess.run(command, capture_output=True, text=True, check=False)
    assert last.returncode == 1
    assert f"{len(times)} of 150 were read before" in last.stderr
    assert f"6 of {150 - len(times)} failed" in last.stderr
    assert len(done()) == 144
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())
    assert all(json.loads(path.read_text())["lines"] == [] for path in done())


@pytest.mark.server
def test_the_doctor_finds_a_well_server_and_a_missing_one(server, capsys):
    assert main(["doctor", "--url", server.grpc_url, "--wait", "10"]) == 0
    said = capsys.readouterr().out
    assert "test picture: read 'TRITON" in said
    assert all(f"  {step} " in said for step in ("ocr", "det_preprocess", "det", "rec"))
    assert main(["doctor", "--url", f"http://{server.http_url}", "--model", "orc", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is False
    assert report["checks"][-1][0] == "models"
    assert "orc not ready" in report["checks"][-1][2]
    assert main(["doctor", "--url", "http://127.0.0.1:1"]) == 1
    assert "FAIL  server: cannot connect to http://127.0.0.1:1" in capsys.readouterr().out


@pytest.mark.server
def test_pictures_that_fail_are_listed_and_the_others_read(server, capsys, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(SIGN.read_bytes()[:2000])
    damaged = tmp_path / "damaged.pdf"
    damaged.write_bytes(b"%PDF-1.7\nnothing else")
    locked = tmp_path / "locked.pdf"
    locked.write_bytes(LOCKED)
    missing = str(tmp_path / "missing.jpg")
    files = [str(broken), str(SIGN), missing, str(damaged), str(locked)]
    assert main(["read", *files, "--json", "--url", f"http://{server.http_url}"]) == 1
    out, err = capsys.readouterr()
    answers = [json.loads(line) for line in out.splitlines()]
    assert [answer["image"] for answer in answers] == files
    assert "damaged or truncated" in answers[0]["error"]
    assert [line["text"] for line in answers[1]["lines"]] == TEXTS
    assert "No such file" in answers[2]["error"]
    assert f"{damaged}: cannot open the PDF file" in err
    assert f"{locked}: the PDF file needs a password; decrypt it first" in err
    assert err.count(missing) == 1
    assert "4 of 5 failed" in err


@pytest.mark.server
def test_drawings_are_written(server, capsys, tmp_path):
    out = tmp_path / "deep" / "sign.png"
    url = ["--url", server.grpc_url]
    assert main(["read", str(SIGN), *url, "--draw", str(out)]) == 0
    assert Image.open(out).size == (1240, 900)
    several = [str(SIGN), str(SAMPLES / "landscape.jpg")]
    assert main(["read", *several, *url, "--draw", str(tmp_path / "folder")]) == 0
    names = sorted(path.name for path in (tmp_path / "folder").iterdir())
    assert names == ["landscape.jpg.png", "sign_vertical.jpg.png"]
    assert f"== {several[1]}" in capsys.readouterr().out

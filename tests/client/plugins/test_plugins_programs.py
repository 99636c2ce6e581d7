"""The plugins in the published OCRmyPDF, LangChain and Haystack, in an environment of their own."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from client.samples import pdf_pages
from originals import environment
from paths import ROOT, SAMPLES
from PIL import Image

from ppocr_client import OcrClient
from ppocr_client.documents.pages import pages_in
from ppocr_server.tritonserver.server import TritonServer

pytestmark = [pytest.mark.server, pytest.mark.nightly]

PROGRAMS = ("ocrmypdf==17.13.0", "langchain-core==1.8.3", "haystack-ai==3.4.1")
PACKAGES = (*PROGRAMS, "-e", f"{ROOT}[pdf]")
PLUGIN = ("--plugin", "ppocr_client.plugins.ocrmypdf")
NAMES = ("receipt_en.jpg", "poster_zh.jpg", "form_mixed.png", "notice_tilted.jpg")

Run = Callable[..., subprocess.CompletedProcess[str]]

LANGCHAIN = """
import json, sys
from langchain_core.documents.base import Blob
from ppocr_client.plugins.langchain import PpocrLoader, PpocrParser
url, *paths = sys.argv[1:]
loaded = PpocrLoader(paths, url=url).load()
blob = Blob.from_data(open(paths[-1], "rb").read(), metadata={"source": "memory", "k": 1})
loaded += PpocrParser(url=url, text="markdown").parse(blob)
print(json.dumps([[d.page_content, d.metadata] for d in loaded]))
"""
HAYSTACK = """
import json, sys
from haystack import Pipeline
from haystack.dataclasses import ByteStream
from ppocr_client.plugins.haystack import PpocrToDocument
url, *paths = sys.argv[1:]
written = Pipeline()
written.add_component("ocr", PpocrToDocument(url=url, options={"drop_score": 0.3}))
saved = written.dumps()
assert "secret" not in saved, saved
pipeline = Pipeline.loads(saved, allowed_modules=["ppocr_client.plugins.haystack"])
sources = [*paths, __file__, ByteStream(open(paths[-1], "rb").read(), meta={"a": 1})]
read = pipeline.run({"ocr": {"sources": sources, "meta": {"b": 2}}})["ocr"]["documents"]
print(json.dumps([[d.content, d.meta] for d in read]))
"""
CHOICE = """
from ocrmypdf import OcrOptions
from ocrmypdf.api import setup_plugin_infrastructure
plugins = setup_plugin_infrastructure(plugins=[])
for url in (None, "grpc://127.0.0.1:8001"):
    options = OcrOptions(input_file="a.pdf", output_file="b.pdf")
    options.extra_attrs["ppocr_url"] = url
    print(type(plugins.get_ocr_engine(options=options)).__name__)
"""


@pytest.fixture(scope="session")
def run(tmp_path_factory) -> Run:
    """Run a program of the environment."""
    programs = Path(environment("plugins", *PACKAGES)).parent
    folder = tmp_path_factory.mktemp("plugins")
    variables = {**os.environ, "HAYSTACK_TELEMETRY_ENABLED": "False", "PPOCR_TOKEN": "secret"}

    def run(program: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [programs / program, *map(str, words)],
            capture_output=True,
            text=True,
            timeout=300,
            cwd=folder,
            env=variables,
        )

    return run


@pytest.fixture(scope="session")
def scan(tmp_path_factory) -> Path:
    """A PDF file of eight pages, without text: each of the samples twice."""
    path = tmp_path_factory.mktemp("scan") / "scan.pdf"
    first, *others = (Image.open(SAMPLES / name).convert("RGB") for name in NAMES * 2)
    first.save(path, save_all=True, append_images=others, resolution=150)
    return path


def pdftotext(path: Path) -> list[str]:
    """The text of each page, without white space."""
    return ["".join(page.split()) for page in pdf_pages(path.read_bytes())]


def found(page: str, lines: list[str]) -> float:
    """The share of lines whose text is in a page."""
    return sum("".join(line.split()) in page for line in lines) / len(lines)


@pytest.mark.parametrize("words", [["--jobs", "8"], ["--jobs", "3", "--no-use-threads"]])
def test_ocrmypdf_makes_a_scan_searchable(run, scan, server, samples, tmp_path, words):
    out, text = tmp_path / "out.pdf", tmp_path / "out.txt"
    url = f"http://{server.http_url}" if "--no-use-threads" in words else server.grpc_url
    ended = run("ocrmypdf", *PLUGIN, "--ppocr-url", url, *words, "--sidecar", text, "-q", scan, out)
    assert ended.returncode == 0, ended.stderr
    assert pdftotext(scan) == [""] * 8
    read = pdftotext(out)
    assert len(read) == 8
    for page, name in zip(read, NAMES * 2, strict=True):
        assert found(page, samples[name]) >= 0.9, (name, page)
    assert "红富士苹果" in text.read_text("utf-8")


def test_ocrmypdf_levels_a_page(run, server, samples, tmp_path):
    given, out = tmp_path / "notice.pdf", tmp_path / "out.pdf"
    Image.open(SAMPLES / "notice_tilted.jpg").convert("RGB").save(given, resolution=150)
    words = ["--deskew", "--output-type", "pdf", "-q", given, out]
    ended = run("ocrmypdf", *PLUGIN, "--ppocr-url", server.grpc_url, *words)
    assert ended.returncode == 0, ended.stderr
    assert found(pdftotext(out)[0], samples["notice_tilted.jpg"]) >= 0.9
    slopes = []
    with OcrClient(server.grpc_url) as client:
        for path in (given, out):
            _, load = pages_in(path.read_bytes(), 150)
            along = np.diff(client.detect(load(0)).boxes[:, :2], axis=1)[:, 0]
            slopes.append(abs(np.median(along[:, 1] / along[:, 0])))
    assert slopes[0] > 0.03
    assert slopes[1] < 0.01


def test_ocrmypdf_turns_pages_upright(run, server, samples, tmp_path):
    given, out = tmp_path / "turned.pdf", tmp_path / "out.pdf"
    form = Image.open(SAMPLES / "form_mixed.png").convert("RGB")
    first, *others = (form.rotate(-angle, expand=True) for angle in (90, 180, 270))
    first.save(given, save_all=True, append_images=others, resolution=150)
    words = ["--ppocr-url", server.grpc_url, "--output-type", "pdf", "-q"]
    for flags, angles in (([], [90, 180, 270]), (["--rotate-pages"], [0, 0, 0])):
        ended = run("ocrmypdf", *PLUGIN, *words, *flags, given, out)
        assert ended.returncode == 0, ended.stderr
        for page in pdftotext(out):
            assert found(page, samples["form_mixed.png"]) >= 0.9, page
        _, load = pages_in(out.read_bytes(), 150)
        with OcrClient(server.grpc_url) as client:
            assert [client.read(load(page)).angle for page in range(3)] == angles


def test_ocrmypdf_says_what_is_wrong(run, scan, server, tmp_path):
    def said(code: int, *words: str) -> str:
        ended = run("ocrmypdf", *PLUGIN, "-q", *words, scan, tmp_path / "none.pdf")
        assert ended.returncode == code, ended.stderr
        assert "Traceback" not in ended.stderr
        return ended.stderr

    assert "ppocr-serve" in said(3, "--ppocr-url", "127.0.0.1:9")
    assert "'nope' is not loaded" in said(
        3, "--ppocr-url", server.grpc_url, "--ppocr-model", "nope"
    )
    assert "scheme 'ftp'" in said(1, "--ppocr-url", "ftp://127.0.0.1")
    assert "fpdf2" in said(1, "--ppocr-url", server.grpc_url, "--pdf-renderer", "sandwich")


def test_ocrmypdf_uses_the_engine_only_where_a_server_is_named(run):
    chosen = run("python", "-c", CHOICE)
    assert chosen.stdout.split() == ["TesseractOcrEngine", "PpocrEngine"], chosen.stderr


def documents(run: Run, script: str, server: TritonServer, paths: list[Path]) -> Any:
    program = paths[0].parent / "program.py"
    program.write_text(script, "utf-8")
    ended = run("python", program, server.grpc_url, *paths)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.splitlines()[-1])


def test_langchain_loads_a_document_a_page(run, scan, server, samples):
    form = shutil.copy(SAMPLES / "form_mixed.png", scan.parent)
    *loaded, parsed = documents(run, LANGCHAIN, server, [scan, Path(form)])
    assert len(loaded) == 9
    for page, ((text, meta), name) in enumerate(zip(loaded[:8], NAMES * 2, strict=True)):
        assert meta == {"source": str(scan), "page": page, "total_pages": 8}
        assert found("".join(text.split()), samples[name]) >= 0.9
    assert loaded[8][1] == {"source": form, "page": 0, "total_pages": 1}
    assert "| 收件人 | Linda Zhao |" in parsed[0]
    assert parsed[1] == {"source": "memory", "k": 1, "page": 0, "total_pages": 1}


def test_haystack_converts_files_in_a_pipeline(run, scan, server, samples):
    form = shutil.copy(SAMPLES / "form_mixed.png", scan.parent)
    converted = documents(run, HAYSTACK, server, [scan, Path(form)])
    assert [meta for _, meta in converted] == [
        {"file_path": str(scan), "b": 2, "page_count": 8},
        {"file_path": form, "b": 2, "page_count": 1},
        {"a": 1, "b": 2, "page_count": 1},
    ]
    pages = ["".join(page.split()) for page in converted[0][0].split("\f")]
    for page, name in zip(pages, NAMES * 2, strict=True):
        assert found(page, samples[name]) >= 0.9

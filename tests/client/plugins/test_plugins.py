"""What the plugins share, and what they say where their program is not installed."""

import subprocess
import sys
from importlib.util import find_spec

import pytest
from client.samples import pdf_with_a_huge_page
from paths import SAMPLES, SIGN

from ppocr_client.errors import ImageError
from ppocr_client.exports.pdf import to_pdf
from ppocr_client.plugins.reading import Reader
from ppocr_client.results import OcrResult


@pytest.mark.server
def test_a_file_is_read_page_by_page(server, tmp_path, samples):
    reader = Reader(server.grpc_url, dpi=30, options={"drop_score": 0.3})
    two = to_pdf([(SIGN.read_bytes(), OcrResult(()))] * 2, dpi=30)
    pages = list(reader.pages(two))
    assert pages == [(2, "\n".join(samples["sign_vertical.jpg"]))] * 2
    huge = pdf_with_a_huge_page(tmp_path / "huge.pdf").read_bytes()
    with pytest.raises(ImageError, match="page 2 has 20000 x 13333 pixels"):
        list(Reader(server.grpc_url, dpi=100).pages(huge))
    markdown = Reader(server.grpc_url, text="markdown").pages(
        (SAMPLES / "form_mixed.png").read_bytes()
    )
    assert "| 收件人 | Linda Zhao |" in next(markdown)[1]


def test_the_kind_of_text_is_checked():
    with pytest.raises(ValueError, match=r"text is 'pdf'; allowed: text, markdown"):
        Reader(text="pdf")  # type: ignore[arg-type] # what mypy refuses


@pytest.mark.parametrize(
    ("plugin", "package"), [("langchain", "langchain-core"), ("haystack", "haystack-ai")]
)
def test_a_missing_program_is_named(plugin, package):
    if find_spec({"langchain": "langchain_core"}.get(plugin, plugin)) is not None:
        pytest.skip(f"{package} is installed")
    words = [sys.executable, "-c", f"import ppocr_client.plugins.{plugin}"]
    said = subprocess.run(words, capture_output=True, text=True).stderr
    assert f'{package}: pip install "ppocr-triton[{plugin}]"' in said

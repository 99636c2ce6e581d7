"""Pictures and programs that several tests of the client use."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from paths import SIGN
from PIL import Image

from ppocr_client.documents.pictures import encode_pixels

TEXTS = ["清风茶馆欢迎您", "OPEN TODAY"]
BLANK = encode_pixels(np.full((40, 60), 255, np.uint8), None)
STRIP = encode_pixels(np.full((1200, 3600), 255, np.uint8), None)
SQUEEZED = "the picture of 3600x1200 (width x height) was read at 960x320, squeezed 3.8 times"
PROGRAM = Path(sys.executable).with_name("ppocr-client")


def rectangle(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    """An upright box: float32 [4, 2], clockwise from top-left."""
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)


def pdf_with_a_huge_page(path: Path) -> Path:
    """A sign on page 1; page 2 has more pixels than are allowed, at 100 dpi or more."""
    with Image.open(SIGN) as sign:
        huge = Image.new("L", (6000, 4000), 255)
        sign.resize((310, 450)).save(path, save_all=True, append_images=[huge], resolution=30)
    return path


def heed_interrupts() -> None:
    """Before exec: a shell's background job would inherit that it ignores SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def pdf_pages(pdf: bytes) -> list[str]:
    """The text that Poppler finds on each page; the test is skipped where it is not installed."""
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext is not installed")
    words = ["pdftotext", "-enc", "UTF-8", "-", "-"]
    text = subprocess.run(words, input=pdf, capture_output=True, check=True).stdout.decode()
    return text.split("\f")[:-1]

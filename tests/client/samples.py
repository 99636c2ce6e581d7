"""Pictures and programs that several tests of the client use."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ppocr_client.documents.pictures import encode_pixels

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples"
SIGN = SAMPLES / "sign_vertical.jpg"
TEXTS = ["清风茶馆欢迎您", "OPEN TODAY"]
BLANK = encode_pixels(np.full((40, 60), 255, np.uint8), None)
PROGRAM = Path(sys.executable).with_name("ppocr-client")


def heed_interrupts() -> None:
    """Before exec: a shell's background job would inherit that it ignores SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_until(condition: Callable[[], object], seconds: float = 120) -> None:
    """Wait for a condition; on a timeout the assertion names it."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, condition
        time.sleep(0.02)

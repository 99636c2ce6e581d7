"""An environment of its own for PaddleOCR, whose versions no other part can share."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ppocr_bench.errors import BenchError

logger = logging.getLogger(__name__)

# PaddleOCR installs three builds of OpenCV, and whichever comes last is used: all have the version
# that the steps have, since another one changes texts. The rest is pinned so that a later release
# cannot break an environment that once worked.
PINS = """
albucore==0.0.24 albumentations==2.0.8 annotated-types==0.8.0 anyio==4.16.0 astor==0.8.1
beautifulsoup4==4.15.0 certifi==2026.10.18 charset-normalizer==3.5.2 Cython==3.3.1 decorator==5.3.1
exceptiongroup==1.3.1 fire==0.7.1 fonttools==4.65.0 h11==0.16.0 httpcore==1.0.9 httpx==0.28.1
idna==3.20 ImageIO==2.38.0 lazy-loader==0.6 lmdb==3.0.0 lxml==6.1.3 networkx==3.4.2 numpy==1.26.4
opencv-contrib-python==4.11.0.86 opencv-python==4.11.0.86 opencv-python-headless==4.11.0.86
opt-einsum==3.3.0 packaging==26.3 paddleocr==2.10.0 paddlepaddle==2.6.2 pillow==12.3.0
protobuf==7.36.2 pyclipper==1.4.0 pydantic==2.14.3 pydantic_core==2.50.4 python-docx==1.2.0
PyYAML==6.0.3 RapidFuzz==3.14.5 requests==2.34.2 scikit-image==0.25.2 scipy==1.15.3
setuptools==80.9.0 shapely==2.1.2 simsimd==6.5.16 soupsieve==2.10 stringzilla==5.3.2
termcolor==3.3.0 tifffile==2025.5.10 tqdm==4.70.1 typing-inspection==0.4.5
typing_extensions==4.16.0 urllib3==2.8.0
"""

RUNNER = Path(__file__).with_name("paddleocr_runner.py")


def ensure_environment(folder: Path) -> Path:
    """Make the environment unless it stands already, and return its Python.

    Args:
        folder: made with the Python that runs this; a mark in it says that it is complete.

    Raises:
        BenchError: it cannot be made; the last lines of the failing command are in the message.
    """
    python = folder / "bin" / "python"
    mark = folder / "complete"
    pins = hashlib.sha256(PINS.encode()).hexdigest()
    if mark.is_file() and mark.read_text() == pins:
        return python
    logger.info("installing PaddleOCR into %s (once, some minutes)", folder)
    _run([sys.executable, "-m", "venv", "--clear", folder])
    _run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PINS.split()])
    mark.write_text(pins)
    return python


def read_with_paddleocr(
    python: Path,
    pictures: Sequence[Path],
    *,
    det_model: Path,
    rec_model: Path,
    dictionary: Path,
    rec_height: int = 48,
) -> dict[str, Any]:
    """Read pictures with PaddleOCR's own pipeline.

    Args:
        python: of an environment with paddleocr 2.10.0.
        pictures: files without transparency and EXIF orientation.
        det_model: Paddle detector folder.
        rec_model: Paddle recogniser folder.
        dictionary: the recogniser's characters, one a line.
        rec_height: the recogniser's input height, pixels.

    Returns:
        `versions` by name, and `pictures`: for each path a list of lines with `text`, `score` and
        `box` ([4][2]).

    Raises:
        BenchError: PaddleOCR failed.
    """
    with tempfile.TemporaryDirectory(prefix="ppocr-bench-") as folder:
        out = Path(folder, "read.json")
        models: list[str | Path] = [
            "--det-model",
            det_model,
            "--rec-model",
            rec_model,
            "--dictionary",
            dictionary,
        ]
        _run(
            [python, RUNNER, *models, "--rec-height", str(rec_height), "--out", out, *pictures],
            # PaddleOCR looks for models under the home folder first.
            environment={**os.environ, "HOME": folder},
        )
        return json.loads(out.read_text("utf-8"))


def _run(command: Sequence[str | Path], environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        [str(part) for part in command], env=environment, capture_output=True, text=True
    )
    if done.returncode:
        tail = "\n".join((done.stderr or done.stdout).strip().splitlines()[-12:])
        raise BenchError(
            f"{' '.join(map(str, command[:4]))} … ended with {done.returncode}:\n{tail}"
        )

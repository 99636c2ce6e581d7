"""Environments of their own for what is compared with, whose versions no other part can share.

Each is made once, under a folder, from versions that are all pinned, so that a later release cannot
break an environment that once worked.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ppocr_bench.errors import BenchError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Environment:
    """What is installed where.

    Attributes:
        name: of the product, for messages.
        folder: its name within the folder of environments.
        packages: what pip is asked to install, options included, parted by white space.
        pythons: versions it runs on, such as "3.8"; none is that of the Python that runs this.
    """

    name: str
    folder: str
    packages: str
    pythons: tuple[str, ...] = ()


#: Where environments are made unless another folder is named.
DEFAULT_FOLDER = Path("build")

PADDLEOCR = Environment(
    "PaddleOCR",
    "paddleocr-env",
    # PaddleOCR installs three builds of OpenCV, and whichever comes last is used: all have the
    # version that the steps have, since another one changes texts.
    """
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
""",
)
RAPIDOCR = Environment(
    "RapidOCR",
    "rapidocr-env",
    # OpenCV and ONNX Runtime are those that the server has.
    """
--no-deps coloredlogs==15.0.1 flatbuffers==25.12.19 humanfriendly==10.0 mpmath==1.3.0 numpy==1.26.4
onnxruntime==1.23.2 opencv-python==4.11.0.86 packaging==26.3 pillow==12.3.0 protobuf==7.36.2
pyclipper==1.4.0 PyYAML==6.0.3 rapidocr-onnxruntime==1.4.4 shapely==2.1.2 six==1.17.0 sympy==1.14.0
tqdm==4.70.1
""",
)
PADDLE_SERVING = Environment(
    "Paddle Serving",
    "paddle-serving-env",
    # paddle-serving-app asks for an OpenCV that is no longer to be had, hence --no-deps.
    """
--no-deps anyio==4.5.2 astor==0.8.1 certifi==2026.10.18 charset-normalizer==3.5.2 click==7.1.2
decorator==5.3.1 exceptiongroup==1.3.1 Flask==1.1.4 func-timeout==4.3.5 grpcio-tools==1.33.2
grpcio==1.33.2 h11==0.16.0 httpcore==1.0.9 httpx==0.28.1 idna==3.15 iniconfig==2.1.0
itsdangerous==1.1.0 Jinja2==2.11.3 MarkupSafe==1.1.1 numpy==1.23.5 opencv-python==3.4.17.63
opt-einsum==3.3.0 packaging==26.2 paddle-serving-app==0.9.0 paddle-serving-client==0.9.0
paddle-serving-server==0.9.0 paddlepaddle==2.6.2 pillow==10.4.0 pluggy==1.5.0 protobuf==3.20.3
pyclipper==1.3.0.post6 pytest==8.3.5 PyYAML==6.0.3 requests==2.32.4 sentencepiece==0.1.96
shapely==2.0.7 six==1.17.0 sniffio==1.3.1 tomli==2.5.0 typing_extensions==4.13.2 urllib3==2.2.3
Werkzeug==1.0.1
""",
    pythons=("3.8", "3.9"),
)


def ensure_environment(environment: Environment, folder: Path) -> Path:
    """Make the environment unless it stands already, and return its Python.

    Args:
        environment: what it holds.
        folder: where it is made; a mark in it says that it is complete.

    Raises:
        BenchError: it cannot be made, or there is no Python for it; the last lines of the failing
            command are in the message.
    """
    python = folder / "bin" / "python"
    mark = folder / "complete"
    pins = hashlib.sha256(environment.packages.encode()).hexdigest()
    if mark.is_file() and mark.read_text() == pins:
        return python
    base = find_python(environment)
    logger.info("installing %s into %s (once, some minutes)", environment.name, folder)
    _run([base, "-m", "venv", "--clear", folder])
    quietly = ["--quiet", "--disable-pip-version-check"]
    _run([python, "-m", "pip", "install", *quietly, *environment.packages.split()])
    mark.write_text(pins)
    return python


def find_python(environment: Environment) -> str:
    """A Python that the environment can be made with.

    Raises:
        BenchError: there is none.
    """
    if not environment.pythons:
        return sys.executable
    for python in _candidates(environment.pythons):
        # A version manager's stand-in exists even where the version does not.
        if subprocess.run([python, "-V"], capture_output=True).returncode == 0:
            return python
    versions = " or ".join(environment.pythons)
    raise BenchError(
        f"{environment.name} needs Python {versions}, which is neither on PATH nor among pyenv's "
        f"versions; install it to compare with {environment.name}"
    )


def _candidates(versions: Sequence[str]) -> Iterator[str]:
    installed = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for version in versions:
        found = shutil.which(f"python{version}")
        if found:
            yield found
        yield from map(str, sorted(installed.glob(f"{version}.*/bin/python")))


def _run(command: Sequence[str | Path]) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        tail = "\n".join((done.stderr or done.stdout).strip().splitlines()[-12:])
        raise BenchError(
            f"{' '.join(map(str, command[:4]))} … ended with {done.returncode}:\n{tail}"
        )

"""The versions of paddle2onnx that conversions run with, and where they are kept.

No one version does it all (measured with paddlepaddle 3.2.2):

1.3.1  converts Paddle 2 programs, all families of PP-OCR, without Paddle and without repairs; it
       cannot read Paddle 3 programs.
2.1.0  reads Paddle 3 programs, with one repair (`scalars_to_vectors`); on Paddle 2
       programs it dies of the LSTM in PP-OCRv2's recogniser (signal 6). It pins onnx below 1.18,
       against the serving side's version, though it runs without it.

So 1.3.1 is a dependency, and 2.1.0 is put, without its dependencies, into a folder of its own when
the first Paddle 3 program is converted. Each runs as a process.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from ppocr_converters.errors import ConvertError
from ppocr_converters.files import new_folder
from ppocr_converters.paddle.model_folder import ProgramFormat
from ppocr_converters.pip import run_pip

logger = logging.getLogger(__name__)

PADDLE2ONNX = "paddle2onnx"
VERSIONS: dict[ProgramFormat, str] = {"pdmodel": "1.3.1", "pir": "2.1.0"}
#: Where versions that are not installed are kept, unless PPOCR_TOOLS names another folder.
TOOLS = Path("build/tools")


@dataclass(frozen=True)
class Tool:
    """A version of paddle2onnx, and the folder it is in where it is not the installed one."""

    version: str
    folder: Path | None

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a process that shall find this version first."""
        path = [] if self.folder is None else [str(self.folder)]
        if os.environ.get("PYTHONPATH"):
            path.append(os.environ["PYTHONPATH"])
        return os.environ | ({"PYTHONPATH": os.pathsep.join(path)} if path else {})


def paddle2onnx_for(form: ProgramFormat) -> Tool:
    """The version that converts a format, got with pip where it is not there yet.

    Raises:
        ConvertError: it is not there and cannot be got.
    """
    version = VERSIONS[form]
    if _installed() == version:
        return Tool(version, None)
    folder = _tool_folder(version)
    if not folder.is_dir():
        wanted = f"{PADDLE2ONNX}=={version}"
        logger.info("installing %s into %s", wanted, folder)
        with new_folder(folder) as fresh:
            if (reason := run_pip("install", wanted, "--target", str(fresh))) is not None:
                raise ConvertError(
                    f"this model needs {wanted}, which pip cannot install: {reason}; where there "
                    f"is no package index, unpack its wheel into {folder}"
                )
    return Tool(version, folder)


def is_at_hand(form: ProgramFormat) -> bool:
    """Whether the version that converts a format is there already."""
    return _installed() == VERSIONS[form] or _tool_folder(VERSIONS[form]).is_dir()


def _tool_folder(version: str) -> Path:
    """Where a version is kept that is not installed with the project."""
    return Path(os.environ.get("PPOCR_TOOLS", TOOLS)).resolve() / f"{PADDLE2ONNX}-{version}"


def _installed() -> str | None:
    try:
        return metadata.version(PADDLE2ONNX)
    except metadata.PackageNotFoundError:
        return None

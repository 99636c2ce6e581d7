"""Models in Paddle's own formats: finding their files and seeing whether they are whole."""

from __future__ import annotations

import math
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from google.protobuf.message import DecodeError

from ppocr_converters.errors import ModelError
from ppocr_converters.paddle.program import Program, framework, read_program
from ppocr_converters.repository.serving_config.prototxt import FILE as CONF

ProgramFormat = Literal["pdmodel", "pir"]
#: What the network and its weights are called, by format, newest naming first. Without the one file
#: of weights there is one for each variable, named like it.
LAYOUTS: tuple[tuple[ProgramFormat, str, str], ...] = (
    ("pdmodel", "*.pdmodel", "{stem}.pdiparams"),
    ("pdmodel", "__model__", "__params__"),
    ("pdmodel", "model", "params"),
    ("pir", "*.json", "{stem}.pdiparams"),
)
FORMAT_NAMES = {
    "pdmodel": "Paddle 2 program",
    "pir": "Paddle 3 program (PIR)",
}
#: The folder inside of what Paddle Serving's converter writes that holds the model itself.
SERVING = "serving_server"

# Bytes of one value by the data type numbers of Paddle's framework.proto.
VALUE_SIZES = {0: 1, 1: 2, 2: 4, 3: 8, 4: 2, 5: 4, 6: 8, 20: 1, 21: 1, 22: 2, 23: 8, 24: 16}


@dataclass(frozen=True)
class PaddleModel:
    """The files of a Paddle inference model.

    Attributes:
        weights: one file of all, or one of each variable in the order of their names.
        format: "pdmodel" or "pir".
        conf: Paddle Serving's names of inputs and outputs, where there are any.
    """

    program: Path
    weights: tuple[Path, ...]
    format: ProgramFormat
    conf: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """Everything that the model is made of."""
        return (self.program, *self.weights, *([self.conf] if self.conf else []))

    @property
    def is_scattered(self) -> bool:
        """Whether each variable has a file of its own."""
        return len(self.weights) > 1

    @property
    def description(self) -> str:
        """The format in words."""
        scattered = ", one file for each variable" if self.is_scattered else ""
        served = ", saved for Paddle Serving" if self.conf else ""
        return f"{FORMAT_NAMES[self.format]}: {self.program.name}{scattered}{served}"


def find_paddle_model(folder: Path) -> PaddleModel:
    """Find the program and the weights in a model folder, or in `serving_server` inside it.

    Raises:
        ModelError: one of the two is missing, or there are several programs.
    """
    if not folder.is_dir():
        raise ModelError(f"{folder} is not a folder; give the folder of a Paddle model")
    if not _programs(folder) and (folder / SERVING).is_dir():
        folder = folder / SERVING
    programs = _programs(folder)
    if len(programs) > 1 and len({form for form, _, _ in programs}) == 1:
        names = ", ".join(program.name for _, program, _ in programs)
        raise ModelError(f"{folder} holds several models ({names}); one is needed")
    if not programs:
        raise ModelError(
            f"{folder} holds no Paddle model: neither *.pdmodel nor __model__ nor inference.json"
        )
    form, program, weights = programs[0]
    files = (weights,) if weights.is_file() else _scattered(program, weights.name)
    conf = folder / CONF
    return PaddleModel(program, files, form, conf if conf.is_file() else None)


def _programs(folder: Path) -> list[tuple[ProgramFormat, Path, Path]]:
    """Every program in a folder with the place of its weights; JSON only beside weights."""
    found = [
        (form, program, folder / weights.format(stem=program.stem))
        for form, pattern, weights in LAYOUTS
        for program in sorted(folder.glob(pattern))
    ]
    return [one for one in found if one[1].is_file() and (one[0] == "pdmodel" or one[2].is_file())]


def _scattered(program: Path, combined: str) -> tuple[Path, ...]:
    """The files of single variables beside a program that has no file of all."""
    names = read_program(program).weights
    missing = [name for name in names if not (program.parent / name).is_file()]
    if len(missing) == len(names):
        raise ModelError(f"{program.parent} holds {program.name} but no {combined}")
    if missing:
        raise ModelError(
            f"{program.parent} lacks {len(missing)} of {len(names)} variables, the first is "
            f"{missing[0]}"
        )
    return tuple(program.parent / name for name in names)


@contextmanager
def combined(model: PaddleModel) -> Iterator[Path]:
    """One file of all weights: of scattered ones those of the variables, sorted by name."""
    if not model.is_scattered:
        yield model.weights[0]
        return
    with tempfile.NamedTemporaryFile(prefix="ppocr-", suffix=".pdiparams") as target:
        for path in model.weights:
            target.write(path.read_bytes())
        target.flush()
        yield Path(target.name)


def check_weights(model: PaddleModel, program: Program) -> int:
    """Count the variables of a model and see that they are whole and those of its program.

    Raises:
        ModelError: a file ends inside a variable, or there are more or fewer than the program has.
    """
    count = sum(_count_weights(path) for path in model.weights)
    if count != len(program.weights):
        raise ModelError(
            f"{model.weights[0]} holds {count} variables, but {model.program.name} has "
            f"{len(program.weights)}; the two do not belong together, or one is incomplete"
        )
    return count


def _count_weights(path: Path) -> int:
    """Count the variables of a file, which are records one after another.

    Each is a version (4 bytes), a level-of-detail table, the tensor's version (4), the length of a
    description (4), the description (type and dimensions), the values.
    """
    data = path.read_bytes()
    position = count = 0
    while position < len(data):
        end = _record_end(data, position)
        if end is None or end > len(data):
            raise ModelError(
                f"{path} is truncated or damaged: it ends at byte {len(data)}, inside variable "
                f"{count + 1}" + ("" if end is None else f", which reaches to byte {end}")
            )
        position, count = end, count + 1
    return count


def _record_end(data: bytes, start: int) -> int | None:
    """Where the record at `start` ends, or None where it cannot be read that far."""
    try:
        (levels,) = struct.unpack_from("<Q", data, start + 4)
        position = start + 12
        for _ in range(levels):
            (size,) = struct.unpack_from("<Q", data, position)
            position += 8 + size
        (length,) = struct.unpack_from("<i", data, position + 4)
        end = position + 8 + length
        tensor = framework()["TensorDesc"].FromString(data[position + 8 : end])
    except (struct.error, DecodeError):
        return None
    if tensor.data_type not in VALUE_SIZES or not tensor.HasField("data_type") or length < 0:
        return None
    return end + math.prod(tensor.dims) * VALUE_SIZES[tensor.data_type]

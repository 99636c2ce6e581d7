"""Models in Paddle's own formats: finding their files and seeing whether they are whole."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from ppocr_converters.errors import ModelError

#: What the network and its weights are called, by format, newest naming first.
LAYOUTS = (
    ("pdmodel", "*.pdmodel", "{stem}.pdiparams"),
    ("pdmodel", "__model__", "__params__"),
    ("pir", "inference.json", "inference.pdiparams"),
)
FORMAT_NAMES = {
    "pdmodel": "Paddle 2 program (.pdmodel)",
    "pir": "Paddle 3 program (inference.json)",
}

# Bytes of one value by the data type numbers of Paddle's framework.proto.
VALUE_SIZES = {0: 1, 1: 2, 2: 4, 3: 8, 4: 2, 5: 4, 6: 8, 20: 1, 21: 1, 22: 2, 23: 8, 24: 16}


@dataclass(frozen=True)
class PaddleModel:
    """The two files of a Paddle inference model, and their format ("pdmodel" or "pir")."""

    program: Path
    weights: Path
    format: str


def find_paddle_model(folder: Path) -> PaddleModel:
    """Find the program and the weights in a model folder.

    Raises:
        ModelError: one of the two is missing, or there are several programs.
    """
    if not folder.is_dir():
        raise ModelError(f"{folder} is not a folder; give the folder of a Paddle model")
    for form, pattern, weights_name in LAYOUTS:
        programs = sorted(folder.glob(pattern))
        if len(programs) > 1:
            names = ", ".join(program.name for program in programs)
            raise ModelError(f"{folder} holds several models ({names}); one is needed")
        if programs:
            weights = folder / weights_name.format(stem=programs[0].stem)
            if not weights.is_file():
                raise ModelError(f"{folder} holds {programs[0].name} but no {weights.name}")
            return PaddleModel(programs[0], weights, form)
    raise ModelError(
        f"{folder} holds no Paddle model: neither *.pdmodel nor __model__ nor inference.json"
    )


def count_weights(path: Path) -> int:
    """Count the variables of a combined weights file and see that it is whole.

    The file is a sequence of records: version (4 bytes), level-of-detail table, tensor version
    (4), the length of a description (4), the description (type and dimensions), the values.

    Raises:
        ModelError: the file ends inside a variable.
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
        position += 8
        value_type, count = _describe(data[position : position + length])
    except (struct.error, IndexError):
        return None
    if value_type not in VALUE_SIZES or length < 0:
        return None
    return position + length + count * VALUE_SIZES[value_type]


def _describe(message: bytes) -> tuple[int, int]:
    """The data type and the number of values in a serialized TensorDesc."""
    value_type, count, position = -1, 1, 0
    while position < len(message):
        tag, position = _varint(message, position)
        value, position = _varint(message, position)
        if tag >> 3 == 1:
            value_type = value
        elif tag & 7 == 2:  # packed dimensions
            end = position + value
            while position < end:
                value, position = _varint(message, position)
                count *= value
        else:
            count *= value
    return value_type, count


def _varint(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position

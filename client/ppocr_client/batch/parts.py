"""The folder of parts that an archive is written to: `part-000000.parquet` and so on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from ppocr_client.batch.files import Options, list_folder, read_file
from ppocr_client.batch.rows import TABLES, RowStatus
from ppocr_client.documents.inputs import InputError

PART = re.compile(r"part-(\d{6,})\.(\w+)")


class Part(NamedTuple):
    """A file of the archive, and the inputs whose rows it holds."""

    name: str
    paths: list[str]


class ExistingParts(NamedTuple):
    """The rows of an earlier run, and the number of the next part."""

    rows: list[RowStatus]
    next: int


def scan_output(folder: str, form: str, options: Options) -> ExistingParts:
    """The parts in an output folder.

    Raises:
        InputError: If its parts are of another format, or one of them cannot be read.
    """
    found = [match for match in map(PART.fullmatch, list_folder(folder, options)) if match]
    rows: list[RowStatus] = []
    for match in found:
        if f".{match[2]}" != TABLES[form].suffix:
            raise InputError(f"{folder} holds {match[0]}; use its --format, or another folder")
        rows += _rows(f"{folder}/{match[0]}", form, options)
    return ExistingParts(rows, max((int(match[1]) for match in found), default=-1) + 1)


def split_parts(paths: Sequence[str], size: int, folder: str, form: str, start: int) -> list[Part]:
    """Split the inputs into parts of `size`, in their order, numbered from `start`."""
    suffix = TABLES[form].suffix
    return [
        Part(f"{folder}/part-{number:06}{suffix}", list(paths[at : at + size]))
        for number, at in enumerate(range(0, len(paths), size), start)
    ]


def _rows(name: str, form: str, options: Options) -> list[RowStatus]:
    try:
        return TABLES[form].statuses(read_file(name, options))
    except (OSError, ValueError, KeyError) as error:  # pyarrow's ArrowInvalid is a ValueError
        raise InputError(f"{name} is not a part of an archive: {error}; move it away") from error

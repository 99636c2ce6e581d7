"""The folder of parts that an archive is written to: `part-000000.parquet` and so on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from ppocr_client.batch.files import Options, list_folder, read_file
from ppocr_client.batch.rows import TABLES, Done
from ppocr_client.documents.documents import InputError

PART = re.compile(r"part-(\d{6,})\.(\w+)")


class Part(NamedTuple):
    """Inputs that are written together, and the file that they are written to."""

    name: str
    paths: list[str]


class Before(NamedTuple):
    """What an earlier run has left: all inputs that have a row, and the number of the next part."""

    done: list[Done]
    next: int


def look_into(folder: str, form: str, options: Options) -> Before:
    """What is in a folder already.

    Raises:
        InputError: If its parts are of another format, or one of them cannot be read.
    """
    found = [match for match in map(PART.fullmatch, list_folder(folder, options)) if match]
    done: list[Done] = []
    for match in found:
        if f".{match[2]}" != TABLES[form].suffix:
            raise InputError(f"{folder} holds {match[0]}; go on with its format, or name another")
        done += _done(f"{folder}/{match[0]}", form, options)
    return Before(done, max((int(match[1]) for match in found), default=-1) + 1)


def cut(paths: Sequence[str], size: int, folder: str, form: str, start: int) -> list[Part]:
    """The inputs in parts of `size`, in their order, the parts numbered from `start`."""
    suffix = TABLES[form].suffix
    return [
        Part(f"{folder}/part-{number:06}{suffix}", list(paths[at : at + size]))
        for number, at in enumerate(range(0, len(paths), size), start)
    ]


def _done(name: str, form: str, options: Options) -> list[Done]:
    try:
        return TABLES[form].done(read_file(name, options))
    except (OSError, ValueError, KeyError) as error:  # pyarrow's ArrowInvalid is a ValueError
        raise InputError(f"{name} is no part of an archive: {error}; move it away") from error

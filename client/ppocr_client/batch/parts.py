"""The parts of an archive, `part-000000.parquet` and so on, and their rows, one for each input."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from ppocr_client.batch.files import Options, list_folder, read_file
from ppocr_client.documents.inputs import InputError

PART = re.compile(r"part-(\d{6,})\.(\w+)")
WORD = {
    "text": pa.string(),
    "score": pa.float32(),
    "box": pa.list_(pa.list_(pa.float32())),
}
LINE = pa.struct({**WORD, "box_score": pa.float32(), "words": pa.list_(pa.struct(WORD))})
PAGE = pa.struct(
    {
        "page": pa.int32(),
        "width": pa.int32(),
        "height": pa.int32(),
        "warnings": pa.list_(pa.string()),
        "lines": pa.list_(LINE),
    }
)
SCHEMA = pa.schema(
    {
        "path": pa.string(),
        "status": pa.string(),
        "error": pa.string(),
        "text": pa.string(),
        "pages": pa.list_(PAGE),
        "model_version": pa.string(),
        "seconds": pa.float64(),
    }
)


class Row(NamedTuple):
    """The result of one input."""

    path: str
    status: str  # "ok" or "failed"
    error: str | None  # why it failed, or which of its pages failed
    text: str | None  # of all pages that were read, a form feed between pages
    pages: list[dict[str, Any]] | None  # that were read: `page` and what `OcrResult.to_dict` gives
    model_version: str | None
    seconds: float  # from opening it to the last answer, queueing included


class RowStatus(NamedTuple):
    """The path of a row, and why its input failed if it did."""

    path: str
    error: str | None


class Part(NamedTuple):
    """A file of the archive, and the inputs whose rows it holds."""

    name: str
    paths: Sequence[str]


def split_parts(paths: Sequence[str], size: int, folder: str, form: str, start: int) -> list[Part]:
    """Split the inputs into parts of `size`, in their order, numbered from `start`."""
    return [
        Part(f"{folder}/part-{number:06}.{form}", paths[at : at + size])
        for number, at in enumerate(range(0, len(paths), size), start)
    ]


def scan_output(folder: str, form: str, options: Options) -> tuple[list[RowStatus], int]:
    """The rows of an earlier run in an output folder, and the number of the next part.

    Raises:
        InputError: If its parts are of another format, or one of them cannot be read.
    """
    rows: list[RowStatus] = []
    following = 0
    for match in filter(None, map(PART.fullmatch, list_folder(folder, options))):
        name = f"{folder}/{match[0]}"
        if match[2] != form:
            raise InputError(f"{folder} holds {match[0]}; use its --format, or another folder")
        try:
            rows += read_statuses(read_file(name, options), form)
        except (OSError, ValueError, KeyError) as error:  # pyarrow's ArrowInvalid is a ValueError
            raise InputError(
                f"{name} is not a part of an archive: {error}; move it away"
            ) from error
        following = max(following, int(match[1]) + 1)
    return rows, following


def write_rows(rows: Sequence[Row], form: str) -> bytes:
    """The rows as a Parquet file, or as JSON objects, each on its own line."""
    if form == "jsonl":
        lines = (json.dumps(row._asdict(), ensure_ascii=False) for row in rows)
        return "".join(f"{line}\n" for line in lines).encode()
    columns = {name: [row[index] for row in rows] for index, name in enumerate(SCHEMA.names)}
    file = pa.BufferOutputStream()
    pq.write_table(pa.table(columns, schema=SCHEMA), file, compression="zstd")
    return bytes(file.getvalue())


def read_statuses(data: bytes, form: str) -> list[RowStatus]:
    """Which inputs a file has rows of."""
    if form == "jsonl":
        return [RowStatus(row["path"], row["error"]) for row in map(json.loads, data.splitlines())]
    # Arrow threads that read through a Python object can outlive the interpreter and then abort the
    # process (apache/arrow#34314), so a buffer is read, without threads.
    table = pq.read_table(pa.BufferReader(data), columns=list(RowStatus._fields), use_threads=False)
    return list(map(RowStatus, *(table.column(name).to_pylist() for name in RowStatus._fields)))

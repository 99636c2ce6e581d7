"""Rows of an archive, and the files that hold them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

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
    """The result of one input.

    Attributes:
        path: Its name.
        status: "ok", or "failed".
        error: Why it failed, or which of its pages failed.
        text: All lines of all pages that were read, a form feed between pages.
        pages: For each page that was read its number, `width`, `height`, `lines` and
            perhaps `warnings`; see `OcrResult.to_dict`.
        model_version: The version of the pipeline that read it.
        seconds: From opening it to the last answer, queueing included.
    """

    path: str
    status: str
    error: str | None
    text: str | None
    pages: list[dict[str, Any]] | None
    model_version: str | None
    seconds: float


class RowStatus(NamedTuple):
    """The path of a row, and why its input failed if it did."""

    path: str
    error: str | None


class Table(NamedTuple):
    """A file format for rows; `statuses` reads back which inputs a file has rows of."""

    suffix: str
    write: Callable[[Sequence[Row]], bytes]
    statuses: Callable[[bytes], list[RowStatus]]


def write_parquet(rows: Sequence[Row]) -> bytes:
    """The rows as a Parquet file."""
    columns = {name: [row[index] for row in rows] for index, name in enumerate(SCHEMA.names)}
    file = pa.BufferOutputStream()
    pq.write_table(pa.table(columns, schema=SCHEMA), file, compression="zstd")
    return bytes(file.getvalue())


def parquet_statuses(data: bytes) -> list[RowStatus]:
    """The statuses of the rows of a Parquet file."""
    # Arrow threads that read through a Python object can outlive the interpreter and then abort the
    # process (apache/arrow#34314), so a buffer is read, without threads.
    table = pq.read_table(pa.BufferReader(data), columns=list(RowStatus._fields), use_threads=False)
    return list(map(RowStatus, *(table.column(name).to_pylist() for name in RowStatus._fields)))


def write_jsonl(rows: Sequence[Row]) -> bytes:
    """The rows as JSON objects, each on its own line."""
    lines = (json.dumps(row._asdict(), ensure_ascii=False) for row in rows)
    return "".join(f"{line}\n" for line in lines).encode()


def jsonl_statuses(data: bytes) -> list[RowStatus]:
    """The statuses of the rows of a JSONL file."""
    rows = map(json.loads, data.splitlines())
    return [RowStatus(row["path"], row["error"]) for row in rows]


TABLES = {
    "parquet": Table(".parquet", write_parquet, parquet_statuses),
    "jsonl": Table(".jsonl", write_jsonl, jsonl_statuses),
}

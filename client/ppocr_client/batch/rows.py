"""Rows of an archive, and the files that hold them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

LINE = pa.struct(
    {
        "text": pa.string(),
        "score": pa.float32(),
        "box": pa.list_(pa.list_(pa.float32())),
        "box_score": pa.float32(),
    }
)
PAGE = pa.struct(
    {
        "page": pa.int32(),
        "width": pa.int32(),
        "height": pa.int32(),
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
    """What became of one input.

    Attributes:
        path: Its name.
        status: "ok", or "failed".
        error: Why it failed.
        text: All lines of all pages, a form feed between pages.
        pages: For each page its number, `width`, `height` and `lines`; see `OcrResult.to_dict`.
        model_version: That of the pipeline that read it.
        seconds: From opening it to the last answer, waiting for room included.
    """

    path: str
    status: str
    error: str | None
    text: str | None
    pages: list[dict[str, Any]] | None
    model_version: str | None
    seconds: float


class Done(NamedTuple):
    """An input that has a row: its name, and why it failed if it did."""

    path: str
    error: str | None


class Table(NamedTuple):
    """One way to keep rows in a file, and to find out which inputs it has them of."""

    suffix: str
    write: Callable[[Sequence[Row]], bytes]
    done: Callable[[bytes], list[Done]]


def write_parquet(rows: Sequence[Row]) -> bytes:
    """The rows as a Parquet file."""
    columns = {name: [row[index] for row in rows] for index, name in enumerate(SCHEMA.names)}
    file = pa.BufferOutputStream()
    pq.write_table(pa.table(columns, schema=SCHEMA), file, compression="zstd")
    return bytes(file.getvalue())


def parquet_done(data: bytes) -> list[Done]:
    """The inputs that a Parquet file has rows of."""
    # Threads of Arrow that read through a Python object can outlive the interpreter, and then abort
    # the process (apache/arrow#34314): they are given no such object, and there are none.
    table = pq.read_table(pa.BufferReader(data), columns=list(Done._fields), use_threads=False)
    return list(map(Done, *(table.column(name).to_pylist() for name in Done._fields)))


def write_jsonl(rows: Sequence[Row]) -> bytes:
    """The rows as JSON objects, each on its own line."""
    lines = (json.dumps(row._asdict(), ensure_ascii=False) for row in rows)
    return "".join(f"{line}\n" for line in lines).encode()


def jsonl_done(data: bytes) -> list[Done]:
    """The inputs that a JSONL file has rows of."""
    rows = map(json.loads, data.splitlines())
    return [Done(row["path"], row["error"]) for row in rows]


TABLES = {
    "parquet": Table(".parquet", write_parquet, parquet_done),
    "jsonl": Table(".jsonl", write_jsonl, jsonl_done),
}

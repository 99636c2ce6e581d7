"""How an archive is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ppocr_client.documents.pages import Ranges
from ppocr_client.options import ReadOptions
from ppocr_client.transport.base import Tls


@dataclass(frozen=True)
class Job:
    """The settings of a run.

    Attributes:
        urls: The servers.
        model: The pipeline's name on them.
        concurrency: The largest number of requests in flight at one server.
        retries: How often a request is sent again.
        timeout: Seconds for each request.
        patience: Seconds without any ready server after which to give up.
        form: "parquet" or "jsonl".
        options: Of each request.
        ranges: The wanted pages of a document; see `parse_pages`.
        dpi: Pixels per inch for the pages of PDF files.
        token: Sent with each request.
        tls: Certificates, if the system's own are not to be used.
        storage: The arguments of the buckets' filesystems.
    """

    urls: tuple[str, ...]
    model: str = "ocr"
    concurrency: int = 4
    retries: int = 5
    timeout: float = 60
    patience: float = 300
    form: str = "parquet"
    options: ReadOptions = field(default_factory=lambda: ReadOptions())
    ranges: Ranges | None = None
    dpi: float = 200
    token: str | None = None
    tls: Tls | None = None
    storage: Mapping[str, Any] = field(default_factory=dict)

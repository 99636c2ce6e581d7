"""Client-side load balancing over several servers.

A request goes to the server with the most free slots. A server that fails is ejected: its requests
go to the others, and it is used again once it reports that it is ready.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from ppocr_client.client import OcrClient
from ppocr_client.documents.pages import Ranges
from ppocr_client.errors import AccessDenied, InvalidRequest, OcrError
from ppocr_client.options import ReadOptions
from ppocr_client.results import OcrResult
from ppocr_client.transport.base import Tls, backoff

PROBE_SECONDS = 5.0


class Stopped(Exception):
    """The run cannot go on: no server is left or ready, or a part cannot be written."""


@dataclass(frozen=True)
class Job:
    """How an archive is read."""

    urls: tuple[str, ...]
    model: str = "ocr"
    concurrency: int = 4  # requests in flight at one server
    retries: int = 5
    timeout: float = 60  # seconds for each request
    patience: float = 300  # seconds without any ready server after which to give up
    form: str = "parquet"  # or "jsonl"
    options: ReadOptions = field(default_factory=lambda: ReadOptions())
    ranges: Ranges | None = None  # the wanted pages of a document
    dpi: float = 200  # of the pages of PDF files
    token: str | None = None
    tls: Tls | None = None
    storage: Mapping[str, Any] = field(default_factory=dict)  # of the buckets' filesystems


@dataclass(eq=False)
class Endpoint:
    """One server."""

    client: OcrClient  # without retries of its own
    slots: int  # how many more requests it may get now
    ejected: bool = False  # it gets none, because a request failed
    denied: bool = False  # it wants other credentials; waiting does not change them
    failures: int = 0  # since its last answer
    version: str | None = None  # of its pipeline, once it is known


class Endpoints:
    """All servers; several threads use them at the same time."""

    def __init__(self, job: Job) -> None:
        """Prepare; `start` connects."""
        self._job = job
        settings: dict[str, Any] = {"model": job.model, "timeout": job.timeout, "retries": 0}
        self._all = [
            Endpoint(OcrClient(url, token=job.token, tls=job.tls, **settings), job.concurrency)
            for url in job.urls
        ]
        self._changed, self._closed = threading.Condition(), threading.Event()
        self._probes = ThreadPoolExecutor(len(job.urls), thread_name_prefix="ppocr-probe")
        self._deadline = 0.0  # when to give up, while none is ready
        self._reason = ""

    def start(self) -> None:
        """Ask every server for the version of its model; those that do not answer are ejected."""
        list(self._probes.map(self._ask_version, self._all))

    def read(self, picture: bytes) -> tuple[OcrResult, str | None]:
        """A picture's result, and the version of the model that read it.

        An OcrError says why it cannot be read, also after all retries; Stopped, that no server is
        left.
        """
        for attempt in range(self._job.retries + 1):
            endpoint = self._acquire()
            try:
                result = endpoint.client.read(picture, **self._job.options)
            except InvalidRequest:
                raise  # the picture is bad: every server refuses it
            except OcrError as error:
                self._eject(endpoint, error)
                if attempt == self._job.retries:
                    raise
            else:
                endpoint.failures = 0
                return result, endpoint.version
            finally:
                with self._changed:
                    endpoint.slots += 1
                    self._changed.notify_all()
        raise AssertionError("unreachable: the last attempt returns or raises")

    def close(self) -> None:
        """Send nothing more, and close all connections."""
        self._closed.set()
        with self._changed:
            self._changed.notify_all()
        self._probes.shutdown(cancel_futures=True)
        for endpoint in self._all:
            endpoint.client.close()

    def _acquire(self) -> Endpoint:
        """A slot of a server, once there is a free one."""
        with self._changed:
            while not self._closed.is_set():
                ready = [endpoint for endpoint in self._all if not endpoint.ejected]
                chosen = max(ready, key=lambda endpoint: endpoint.slots, default=None)
                if chosen is not None and chosen.slots > 0:
                    chosen.slots -= 1
                    return chosen
                if all(endpoint.denied for endpoint in self._all):
                    raise Stopped(f"no server is left: {self._reason}")
                left = None if ready else self._deadline - time.monotonic()
                if left is not None and left <= 0:
                    raise Stopped(
                        f"no server was ready for {self._job.patience:g} s: {self._reason}"
                    )
                self._changed.wait(left)
        raise Stopped("the run has ended")

    def _eject(self, endpoint: Endpoint, error: OcrError) -> None:
        with self._changed:
            self._reason = error.reason
            if endpoint.ejected:
                return  # several requests failed together
            endpoint.ejected, endpoint.denied = True, isinstance(error, AccessDenied)
            if all(other.ejected for other in self._all):
                self._deadline = time.monotonic() + self._job.patience
            if not endpoint.denied and not self._closed.is_set():
                self._probes.submit(self._probe, endpoint)

    def _probe(self, endpoint: Endpoint) -> None:
        """Use a server again once it is ready; ask with exponential backoff.

        The backoff starts over only after the server has answered a request.
        """
        ready = False
        while not ready:
            if self._closed.wait(backoff(endpoint.failures)):
                return
            endpoint.failures += 1
            try:
                ready = endpoint.client.server_ready(timeout=PROBE_SECONDS)
            except OcrError as error:
                self._reason = error.reason
        with self._changed:
            endpoint.ejected = False
            self._changed.notify_all()
        if endpoint.version is None:
            self._ask_version(endpoint)

    def _ask_version(self, endpoint: Endpoint) -> None:
        try:
            info = endpoint.client.server_info()
        except InvalidRequest:
            return  # a proxy that forwards inference requests alone
        except OcrError as error:
            self._eject(endpoint, error)
            return
        endpoint.version = ",".join(info.models.get(self._job.model, ())) or None

"""The server that is measured: one that runs already, or one started for the benchmark."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ppocr_bench import fronts
from ppocr_bench.load import Send, Status
from ppocr_bench.options import Options
from ppocr_bench.pictures import Picture
from ppocr_bench.record import OK
from ppocr_client import OcrClient
from ppocr_client.errors import OcrError
from ppocr_server.tritonserver.server import TritonServer

DEFAULT_REPOSITORY = Path("build/model_repository")
REPOSITORY: Options = {
    "--repository": (Path, DEFAULT_REPOSITORY, "the built model repository that is served", "DIR")
}
SAID = "grpc://HOST:PORT or http://HOST:PORT of a running server; without it one is started"
#: Which server is asked.
TARGET: Options = {"--url": ([str], None, SAID, "URL"), **REPOSITORY}
PID: Options = {"--pid": (int, None, "tritonserver's process id, with --url")}
TIMEOUT = 300.0  # seconds for one answer: a dense page waits long behind others


class Serving(NamedTuple):
    """A server: its addresses, tritonserver's process id and metrics address where known.

    `fronts` are the process ids of what was started before it, by address.
    """

    urls: list[str]
    pid: int | None = None
    metrics_url: str | None = None
    fronts: Mapping[str, int] = {}


@contextlib.contextmanager
def serving(
    args: argparse.Namespace, protocols: Collection[str] = ("grpc", "http")
) -> Iterator[Serving]:
    """The server at the given addresses, or one started and stopped here, on these protocols."""
    if args.url:
        yield Serving(args.url, getattr(args, "pid", None), getattr(args, "metrics_url", None))
        return
    with TritonServer(args.repository) as server, contextlib.ExitStack() as opened:
        urls = {"grpc": f"grpc://{server.grpc_url}", "http": f"http://{server.http_url}"}
        before: dict[str, int] = {}
        for start, names in ((fronts.endpoint, fronts.OLD_PORTS), (fronts.gateway, ["gateway"])):
            if set(protocols) & set(names):
                front = opened.enter_context(start(urls["grpc"]))
                urls |= front.urls
                before |= dict.fromkeys(front.urls.values(), front.pid)
        wanted = [urls[protocol] for protocol in protocols]
        yield Serving(wanted, server.pid, f"http://{server.metrics_url}/metrics", before)


@contextlib.contextmanager
def sender(
    url: str,
    pictures: Sequence[Picture],
    parameters: Mapping[str, Any] | None = None,
    timeout: float = TIMEOUT,
) -> Iterator[Send]:
    """What sends the pictures in turn and looks at no answer; several threads may share it."""
    if url.partition("://")[0] in fronts.PROTOCOLS:
        with fronts.asked(url) as ask:
            yield lambda number: bool(ask(pictures[number % len(pictures)].data))
        return
    options = parameters or {}
    with OcrClient(url, timeout=timeout, retries=0) as client:
        yield lambda n: bool(client.read(pictures[n % len(pictures)].data, **options))


def told(send: Send) -> Send:
    """Sends, and tells how the request ended; what no server has answered is raised."""

    def ask(number: int) -> Status:
        try:
            send(number)
        except OcrError as error:
            if error.status is None:
                raise
            status = Status(error.status)
            status.said = str(error)
            return status
        return Status(OK)

    return ask

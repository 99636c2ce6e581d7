"""The server that is measured: one that runs already, or one started for the benchmark."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DEFAULT_REPOSITORY = Path("build/model_repository")


def add_target_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that say which server is asked."""
    parser.add_argument(
        "--url",
        action="append",
        metavar="URL",
        help="grpc://HOST:PORT or http://HOST:PORT of a running server; without it, one is "
        "started for this run",
    )
    parser.add_argument(
        "--repository",
        type=Path,
        default=DEFAULT_REPOSITORY,
        metavar="DIR",
        help="the built model repository that is served (default: %(default)s)",
    )


@dataclass(frozen=True)
class Serving:
    """A server that runs.

    Attributes:
        urls: as `OcrClient` takes them; of a started server gRPC's and HTTP's.
        pid: of tritonserver, None where the server is not ours.
        metrics_url: where its metrics are, None where nobody said.
    """

    urls: list[str]
    pid: int | None = None
    metrics_url: str | None = None


@contextlib.contextmanager
def serving(args: argparse.Namespace) -> Iterator[Serving]:
    """The server at the given addresses, or one started and stopped here.

    Raises:
        ServerError: no server could be started from the repository.
    """
    if args.url:
        yield Serving(args.url)
        return
    from ppocr_server.tritonserver.server import TritonServer

    with TritonServer(args.repository) as server:
        urls = [f"grpc://{server.grpc_url}", f"http://{server.http_url}"]
        yield Serving(urls, server.pid, f"http://{server.metrics_url}/metrics")


@contextlib.contextmanager
def target(args: argparse.Namespace) -> Iterator[list[str]]:
    """The addresses of `serving`, for those that need no more."""
    with serving(args) as found:
        yield found.urls

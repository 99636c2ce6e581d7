"""Serve a Paddle Serving config.yml: build its repository and answer on its old ports."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ppocr_engine.errors import EngineError
from ppocr_server.errors import ServerError
from ppocr_server.event_loop import run_loop
from ppocr_server.paddle_serving.cli import write_logs
from ppocr_server.paddle_serving.endpoint import serve_endpoint
from ppocr_server.paddle_serving.settings import EndpointSettings, upstream_of
from ppocr_server.tritonserver.ports import choose_ports, reachable

if TYPE_CHECKING:
    from ppocr_converters.repository.serving_config.service import Service
    from ppocr_server.tritonserver.server import TritonServer

LOG = logging.getLogger(__name__)
GRACE_SECONDS = 5.0
TRACES = "triton.trace"
# Triton writes files of this many traces; until then they are in memory.
TRACES_PER_FILE = 1000


def read_config(path: Path, overrides: Sequence[str] = ()) -> tuple[Service, EndpointSettings]:
    """Read a config.yml, and check that its old ports are free before anything is built.

    What the converters log goes to standard error from now on.

    Args:
        path: of the file.
        overrides: `KEY.OF.PATH=VALUE` in place of what it says.

    Returns:
        All that it configures, and its old ports.

    Raises:
        ServerError: its content is not allowed, or the converters are not installed.
        PortInUseError: a port is taken.
    """
    try:
        from ppocr_converters.errors import ConvertError
        from ppocr_converters.repository.serving_config.service import load_service
    except ModuleNotFoundError as error:
        raise ServerError(
            f"--config needs the converters ({error}); pip install 'ppocr-triton[convert,serve]'"
        ) from error
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("ppocr_converters").setLevel(logging.INFO)
    try:
        service = load_service(path, overrides)
    except (ConvertError, EngineError) as error:
        raise ServerError(str(error)) from error
    # The repository is built with the options of the configuration, so requests carry none.
    endpoints = EndpointSettings(**service.endpoints, options={})
    on_free_ports(endpoints, f"{{}}_port in {path}")
    return service, endpoints


def on_free_ports(settings: EndpointSettings, setting: str) -> None:
    """Check that the ports of the old endpoints are free; `setting` is what messages call one.

    Raises:
        PortInUseError: a port is taken.
        ServerError: a port is out of range, or the address cannot be bound.
    """
    choose_ports(settings.host, settings.ports, setting)


def prepared(service: Service, options: argparse.Namespace) -> tuple[Path, list[str]]:
    """Open the old endpoints' log, and build the repository unless one is given.

    Models are fetched, converted, proven and laid out; nothing is done twice.

    Returns:
        The repository, and the arguments that make tritonserver write traces if dag.use_profile
        asks for them. Their files lie beside the other logs and are named in a message.

    Raises:
        ServerError: a step failed; the message is that of the converters.
    """
    from ppocr_converters.errors import ConvertError
    from ppocr_converters.files import only_one
    from ppocr_converters.repository.serving_config.service import build_service

    logs = Path(options.log_folder) if options.log_folder else None
    try:
        if options.model_repository:
            repository = Path(options.model_repository)
        else:
            with only_one(options.work):
                repository = build_service(service, options.work).folder
    except (ConvertError, EngineError) as error:
        raise ServerError(str(error)) from error
    write_logs(logs)
    if not service.document["dag.use_profile"]:
        return repository, []
    folder = (logs or Path()).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / TRACES
    LOG.warning(
        "ppocr-serve: use_profile is on: a JSON file with the times of every model is written to "
        "%s.0, .1, … after each %d of them, and at the stop; Triton's qa/common/trace_summary.py "
        "sums them up",
        *(file, TRACES_PER_FILE),
    )
    return repository, [
        "--trace-config=mode=triton",
        f"--trace-config=triton,file={file}",
        f"--trace-config=triton,log-frequency={TRACES_PER_FILE}",
        "--trace-config=level=TIMESTAMPS",
        "--trace-config=rate=1",
        "--trace-config=count=-1",
    ]


@dataclass(frozen=True)
class Endpoints:
    """The old endpoints, answered by a thread of this process.

    Attributes:
        ports: the open ports, by "http" and "rpc".
        running: done when they ended.
    """

    settings: EndpointSettings
    ports: Mapping[str, int]
    running: Future[None]

    def check(self) -> None:
        """Check that they still answer.

        Raises:
            ServerError: they ended; the message has the reason.
        """
        if self.running.done():
            error = self.running.exception()
            ended = "the old endpoints ended" + (f": {error!r}" if error else "")
            raise error if isinstance(error, ServerError) else ServerError(ended)

    def urls(self) -> dict[str, str]:
        """Where the old endpoints answer on this machine, by "http" and "rpc"."""
        scheme = "http" if self.settings.tls is None else "https"
        schemes = {"http": f"{scheme}://", "rpc": ""}
        host = reachable(self.settings.host)
        return {name: f"{schemes[name]}{host}:{port}" for name, port in self.ports.items()}

    def announcement(self) -> str:
        """One line for each old endpoint."""
        uses = {"http": f"/{self.settings.name}/prediction", "rpc": " PipelineService.inference"}
        return "".join(f"old {name:5}{url}{uses[name]}\n" for name, url in self.urls().items())


@contextmanager
def old_endpoints(settings: EndpointSettings, server: TritonServer) -> Iterator[Endpoints]:
    """Answer the clients of Paddle Serving while the block runs.

    Args:
        settings: of the ports and the answers.
        server: a started one; the old endpoints use the same token and certificates.

    Raises:
        ServerError: the ports cannot be opened, or see `upstream_of`.
    """
    security, triton = server.security, server.grpc_url
    upstream = upstream_of(security)
    settings = replace(settings, token=security.token, tls=security.tls, upstream=upstream)
    started: Future[tuple[Mapping[str, int], Callable[[], object]]] = Future()

    async def serve() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()

        def told(ports: Mapping[str, int]) -> None:
            started.set_result((dict(ports), lambda: loop.call_soon_threadsafe(stop.set)))

        await serve_endpoint(settings, triton, stop=stop, started=told, grace=GRACE_SECONDS)

    with ThreadPoolExecutor(1, "endpoints") as threads:
        running = threads.submit(run_loop, serve())
        both: tuple[Future[Any], ...] = (running, started)
        try:
            wait(both, return_when=FIRST_COMPLETED)
            if not started.done():
                Endpoints(settings, {}, running).check()
            yield Endpoints(settings, started.result()[0], running)
        finally:
            # Ctrl-C may come before the ports are open; the thread is stopped then too.
            wait(both, return_when=FIRST_COMPLETED)
            if not running.done():
                started.result()[1]()

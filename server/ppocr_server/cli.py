"""`ppocr-serve`: serve a model repository with tritonserver until Ctrl-C."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from ppocr_engine.environment import disable_telemetry
from ppocr_server.arguments import DEFAULT_HOST, DEFAULT_PORTS, DEFAULT_REPOSITORY, parser

if TYPE_CHECKING:
    from ppocr_converters.repository.serving_config.service import Service
    from ppocr_server.configured import Endpoints
    from ppocr_server.gateway.process import GatewayProcess
    from ppocr_server.paddle_serving.settings import EndpointSettings
    from ppocr_server.tritonserver.server import TritonServer

SAMPLES = "samples"
PICTURES = (".jpg", ".png")
BEARER = '-H "Authorization: Bearer $PPOCR_TOKEN"'
PROGRESS_SECONDS = 10.0
# Subcommands: the module whose main() gets the remaining arguments.
SUBCOMMANDS = {
    "endpoint": "ppocr_server.paddle_serving.cli",
    "gateway": "ppocr_server.gateway.cli",
    "shm-size": "ppocr_server.tritonserver.resources",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `ppocr-serve`; returns 0 after an orderly end, 1 if serving failed, 2 on bad usage.

    With a command to run (`-- COMMAND`), its exit status is returned.
    """
    disable_telemetry()
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given and given[0] in SUBCOMMANDS and given[1:] != ["--version"]:
        module = importlib.import_module(SUBCOMMANDS[given[0]])
        return int(module.main(given[1:]))
    options = parser().parse_args(given)
    from ppocr_server.errors import ServerError

    if options.command and shutil.which(options.command[0]) is None:
        print(
            f"ppocr-serve: {options.command[0]!r} is neither a program nor a subcommand; "
            f"subcommands: {', '.join(SUBCOMMANDS)}",
            file=sys.stderr,
        )
        return 2

    try:
        return _serve(options)
    except ServerError as error:
        print(f"ppocr-serve: {error}", file=sys.stderr)
        return 1


def _serve(options: argparse.Namespace) -> int:
    from ppocr_server.access import security_of
    from ppocr_server.gateway.process import gateway_process, in_front_of
    from ppocr_server.tritonserver.ports import choose_ports
    from ppocr_server.tritonserver.server import TritonServer

    security = security_of(options)
    # Each of them stops the server in order, also while it starts.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    show = _Progress()
    try:
        with ExitStack() as opened:
            service, old = _of_paddle_serving(options)
            host = DEFAULT_HOST if service is None else service.document["triton.host"]
            host = options.host or host
            ports = dict(DEFAULT_PORTS if service is None else service.triton_ports)
            for name in ports:
                if (given := getattr(options, f"{name}_port")) is not None:
                    ports[name] = given
            choose_ports(security.hosts(host), ports)
            gateway = opened.enter_context(gateway_process(options.gateway_port, host))
            repository = options.model_repository or DEFAULT_REPOSITORY
            if service is not None:
                from ppocr_server.configured import prepared

                repository, traces = prepared(service, options)
                options.triton_argument += traces
            server = TritonServer(
                repository,
                http_port=ports["http"],
                grpc_port=ports["grpc"],
                metrics_port=ports["metrics"],
                host=host,
                log_path=options.log_file,
                timeout=options.timeout,
                grace=options.grace,
                tritonserver=options.tritonserver,
                log_level=options.log_level,
                security=security,
                extra=options.triton_argument,
                progress=show,
            )
            opened.enter_context(server)
            endpoints = None
            if old is not None:
                from ppocr_server.configured import old_endpoints

                endpoints = opened.enter_context(old_endpoints(old, server))
            opened.enter_context(in_front_of(server, gateway, options, old))
            show.finish()
            return _run(options, server, gateway, endpoints)
    except KeyboardInterrupt:
        return 0
    finally:
        show.finish()


def _of_paddle_serving(
    options: argparse.Namespace,
) -> tuple[Service | None, EndpointSettings | None]:
    """What --config names, and the old ports that are asked for."""
    from ppocr_server.errors import ServerError

    if options.config is None and options.opt:
        raise ServerError("--opt changes what a config.yml says; name one with --config")
    if options.config is None and options.paddle_serving is None:
        return None, None
    from ppocr_server.configured import on_free_ports, read_config  # which loads gRPC
    from ppocr_server.paddle_serving.settings import EndpointSettings

    if options.config is None:
        old = EndpointSettings(host=options.host or DEFAULT_HOST, **options.paddle_serving)
        on_free_ports(old, "the {} port of --paddle-serving")
        return None, old
    if options.paddle_serving is not None:
        advice = "change them with --opt http_port=N rpc_port=N"
        raise ServerError(f"the ports of --paddle-serving stand in {options.config}; {advice}")
    if options.model_repository and not Path(options.model_repository).is_dir():
        raise ServerError(
            f"there is no model repository at {options.model_repository}; leave --model-repository "
            f"out to have it built, or run `ppocr-convert build --config {options.config} --out "
            f"{options.model_repository}`"
        )
    return read_config(options.config, options.opt)


def _run(
    options: argparse.Namespace,
    server: TritonServer,
    gateway: GatewayProcess | None,
    endpoints: Endpoints | None,
) -> int:
    """Serve while the command runs, or until the server ends and no restart is left."""
    from ppocr_server.run_with_server import run_while_serving
    from ppocr_server.watch.supervise import supervise

    if options.command:
        old = {} if endpoints is None else endpoints.urls()
        environment = {f"PPOCR_OLD_{name.upper()}_URL": url for name, url in old.items()}
        if gateway is not None:
            environment["PPOCR_GATEWAY_URL"] = gateway.url
        return run_while_serving(server, options.command, environment)
    _announce(server, gateway, endpoints, as_json=options.json)

    def check() -> None:
        for part in (gateway, endpoints):
            if part is not None:
                part.check()

    return supervise(server, options.restarts, check)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _announce(
    server: TritonServer,
    gateway: GatewayProcess | None,
    endpoints: Endpoints | None,
    *,
    as_json: bool,
) -> None:
    """Print where the server listens, as text or as one line of JSON."""
    from ppocr_server.tritonserver.health import server_version
    from ppocr_server.tritonserver.installation import version_line

    version = server_version(server.http_url, server.security.headers)
    versions = server.installation.versions(version)
    if told := server.security.exposure(server.host, version):
        print(f"ppocr-serve: {told}", file=sys.stderr, flush=True)
    if as_json:
        answer = {
            "gateway": None if gateway is None else gateway.url,
            "http": server.http_url,
            "grpc": server.grpc_url,
            "metrics": server.metrics_url,
            "pid": server.pid,
            "models": server.models,
            "engines": server.engines,
            "versions": versions,
            "old_ports": {} if endpoints is None else dict(endpoints.ports),
        }
        print(json.dumps(answer), flush=True)
        return
    print(
        f"{version_line(versions)}\n"
        f"models   {', '.join(server.models)}\n"
        f"engines  {', '.join(f'{name}: {engine}' for name, engine in server.engines.items())}\n"
        + ("" if gateway is None else f"gateway  {gateway.url}  (POST /read; /docs)\n")
        + f"HTTP     http://{server.http_url}\n"
        f"gRPC     {server.security.scheme}://{server.grpc_url}\n"
        f"metrics  http://{server.metrics_url}/metrics\n"
        + ("" if endpoints is None else endpoints.announcement())
        + f"{_hint(server, gateway)}Ctrl-C or `kill {os.getpid()}` stops the server.",
        flush=True,
    )


def _hint(server: TritonServer, gateway: GatewayProcess | None) -> str:
    """A request to try, with a sample picture of this checkout or a placeholder."""
    if "ocr" not in server.models:
        return ""
    pictures = sorted(path for path in Path(SAMPLES).glob("*") if path.suffix in PICTURES)
    picture = next(iter(pictures), Path("picture.jpg"))
    if gateway is None:
        url = f"{server.security.scheme}://{server.grpc_url}"
        return f"Try      ppocr-client read --url {url} {picture}\n"
    bearer = f"{BEARER} " if server.security.token is not None else ""
    return f"Try      curl {bearer}--data-binary @{picture} {gateway.url}/read\n"


class _Progress:
    """Says how far a start is: a line that is rewritten on a terminal, else a line every 10 s."""

    def __init__(self) -> None:
        self._began = self._said = time.monotonic()
        self._tty = sys.stderr.isatty()
        self._open = False

    def __call__(self, text: str) -> None:
        now = time.monotonic()
        line = f"starting tritonserver: {text}, {now - self._began:.0f} s"
        if self._tty:
            print(f"\r{line} ", end="", file=sys.stderr, flush=True)
        elif not self._open or now - self._said >= PROGRESS_SECONDS:
            print(line, file=sys.stderr, flush=True)
            self._said = now
        self._open = True

    def finish(self) -> None:
        """End the line."""
        if self._tty and self._open:
            print(file=sys.stderr)
        self._open = False


if __name__ == "__main__":
    sys.exit(main())

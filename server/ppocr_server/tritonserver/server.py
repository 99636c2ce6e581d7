"""Run tritonserver on a model repository.

with TritonServer("build/model_repository") as server:
    print(server.http_url, server.grpc_url, server.metrics_url)
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path

from ppocr_engine.errors import EngineError
from ppocr_engine.machine import available_cores
from ppocr_engine.repository_check import check_repository
from ppocr_server.access import Security
from ppocr_server.errors import (
    KilledError,
    ModelLoadError,
    PortInUseError,
    RepositoryError,
    ServerError,
)
from ppocr_server.tritonserver import health
from ppocr_server.tritonserver.diagnosis import (
    early_end,
    failed_models,
    failure_message,
    last_error,
    loaded_models,
)
from ppocr_server.tritonserver.installation import Installation, find_tritonserver, version_line
from ppocr_server.tritonserver.launch import (
    LOG_LEVELS,
    OPTION_HEADERS,
    backend_arguments,
    check_stub,
    shell_safe,
    triton_environment,
)
from ppocr_server.tritonserver.ports import choose_ports, reachable
from ppocr_server.tritonserver.process import GuardedProcess, TritonLog
from ppocr_server.tritonserver.resources import process_count, shortage, start_seconds, surplus

LOG = logging.getLogger(__name__)
METRICS_OFF = {"--allow-metrics=false", "--allow-metrics=0"}
POLL_SECONDS = 0.05
# Another process can take a port that was picked as free, and Triton sometimes crashes while it
# starts on a busy machine.
START_TRIES = 3


@dataclass(eq=False)
class TritonServer:
    """A tritonserver process; the context manager starts it, waits until it is ready, and stops it.

    Nothing is started before `start` or `with`.

    Attributes:
        model_repository: folder of models, as `ppocr-convert build` writes it.
        http_port: 0 picks a free one; so for the other two.
        host: address to listen on; the default answers this machine only.
        log_path: file for tritonserver's log (appended to), "-" for this process's standard error,
            a number an open file descriptor, None for a temporary file that is removed with the
            server.
        timeout: seconds to load all models, None for what `start_seconds` allows.
        grace: seconds tritonserver gets to stop by itself; 0 kills it at once.
        tritonserver: the binary to run, None to look for one (see `installation`).
        log_level: "error", "warning", "info" or "verbose".
        security: its access rules, with the operator's key.
        extra: further arguments for tritonserver, such as "--rate-limit=off".
        progress: called repeatedly with a short text during the start.

    Attributes (once started):
        http_url, grpc_url, metrics_url: "host:port" of each endpoint.
        pid: process id of tritonserver.
        session: session id of tritonserver and every process it starts.
        shared_memory_prefix: of the names of its regions in /dev/shm.
        models: names of the models it serves.
        engines: what runs each network, by its model's name.
    """

    model_repository: str | Path
    _: KW_ONLY
    http_port: int = 0
    grpc_port: int = 0
    metrics_port: int = 0
    host: str = "127.0.0.1"
    log_path: str | Path | int | None = None
    timeout: float | None = None
    grace: float = 30.0
    tritonserver: str | Path | None = None
    log_level: str = "info"
    security: Security = field(default_factory=Security)
    extra: Sequence[str] = ()
    progress: Callable[[str], None] | None = None

    installation: Installation = field(init=False)
    http_url: str = field(init=False)
    grpc_url: str = field(init=False)
    metrics_url: str = field(init=False)
    pid: int = field(init=False)
    session: int = field(init=False)
    shared_memory_prefix: str = field(init=False)
    models: list[str] = field(init=False)
    engines: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        """Derive what does not change between starts."""
        self._repository = Path(self.model_repository).absolute()
        ports = self.http_port, self.grpc_port, self.metrics_port
        self._ports = dict(zip(("http", "grpc", "metrics"), ports, strict=True))
        self._hosts = self.security.hosts(self.host)
        self._log = TritonLog(self.log_path)
        self._process: GuardedProcess | None = None

    def __enter__(self) -> TritonServer:
        """Start the server and wait until every model is ready."""
        return self.start()

    def __exit__(self, *error: object) -> None:
        """Stop the server."""
        self.stop()

    def start(self) -> TritonServer:
        """Start the server and wait until every model is ready.

        Raises:
            NotInstalledError: there is no usable tritonserver.
            RepositoryError: the repository has no weights, or is not one.
            PortInUseError: a requested port is taken.
            ModelLoadError: a model failed; its name and reason are in the message.
            ServerError: tritonserver ended, or was not ready in time.
        """
        if self._process is not None:
            raise ServerError("this server is already running; stop it before starting it again")
        self.installation = find_tritonserver(self.tritonserver)
        self._environment = triton_environment(self.installation)
        check_stub(self.installation, self._environment)
        try:
            found = check_repository(self._repository)
        except EngineError as error:
            raise RepositoryError(str(error)) from error
        self.models, self.engines = found.models, found.engines
        in_processes = ("python", *self.installation.stand_ins)
        self._processes = process_count(found.configs, in_processes)
        self._start_seconds = start_seconds(self._processes, found.configs)
        for warning in (
            *found.notes,
            shortage(found.configs, in_processes),
            surplus(self._processes, available_cores()),
        ):
            if warning:
                LOG.warning("ppocr-serve: %s", warning)
        for tries_left in reversed(range(START_TRIES)):
            with contextlib.ExitStack() as undo:
                undo.callback(self.stop)
                ports = choose_ports(self._hosts, self._ports)
                self._launch(ports, complete=found.complete)
                try:
                    self._wait_until_ready()
                except (PortInUseError, KilledError) as error:
                    # Only a port that was picked here can be picked again.
                    fixed = isinstance(error, PortInUseError) and all(self._ports.values())
                    if not tries_left or fixed:
                        raise
                    LOG.warning("ppocr-serve: %s; starting it again", error)
                    continue
                undo.pop_all()
                self._ports_in_use = ports
                return self
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _launch(self, ports: dict[str, int], *, complete: bool) -> None:
        urls = {name: f"{reachable(self._hosts[name])}:{port}" for name, port in ports.items()}
        self.http_url, self.grpc_url, self.metrics_url = urls.values()
        run_folder = Path(tempfile.mkdtemp(prefix="ppocr-serve-"))
        # Marks this server's shared memory, so that no other is ever touched.
        self.shared_memory_prefix = prefix = f"ppocr-{os.getpid()}-{secrets.token_hex(4)}-"
        backends = self.installation.assemble_backends(run_folder / "backends")
        command = [
            str(self.installation.binary),
            f"--model-repository={shell_safe(self._repository, run_folder / 'repository')}",
            f"--backend-directory={backends}",
            # If a model fails, the repository index has it with the reason; this process stops it.
            "--exit-on-error=false",
            f"--exit-timeout-secs={max(1, round(self.grace))}",
            f"--http-header-forward-pattern={OPTION_HEADERS}",
            *LOG_LEVELS[self.log_level],
            *(["--disable-auto-complete-config"] if complete else []),
            *(f"--{name}-address={self._hosts[name]}" for name in ports),
            *(f"--{name}-port={port}" for name, port in ports.items()),
            *backend_arguments(self.installation, prefix),
            *self.security.arguments(),
            *self.extra,  # last, so they override everything else
        ]
        with self._log.opened(run_folder) as log:
            header = version_line(self.installation.versions())
            engines = ", ".join(f"{name} by {engine}" for name, engine in self.engines.items())
            os.write(log, f"ppocr-serve: {header}\nppocr-serve: {engines}\n".encode())
            self._process = GuardedProcess(
                command,
                self._environment,
                run_folder=run_folder,
                prefix=prefix,
                log=log,
                grace=self.grace,
            )
        self.pid, self.session = self._process.pid, self._process.session

    def _wait_until_ready(self) -> None:
        """Return when all models are loaded; raise the reason if that fails."""
        limit = self._start_seconds if self.timeout is None else self.timeout
        deadline = time.monotonic() + limit

        def pause() -> None:
            if (status := self.poll()) is not None:
                raise early_end(status, self.log(), self._log.hint())
            loaded = loaded_models(self.log())
            waiting = [name for name in self.models if name not in loaded]
            if time.monotonic() > deadline:
                raise self._too_slow(limit, waiting)
            if self.progress is not None:
                done = len(self.models) - len(waiting)
                self.progress(f"{done} of {len(self.models)} models loaded")
            time.sleep(POLL_SECONDS)

        # Triton opens its endpoints after every model has been loaded or refused.
        while (index := health.model_index(self.http_url, self.security.headers)) is None:
            pause()
        reasons = failed_models(index, self.models, self.log())
        if reasons:
            raise ModelLoadError(failure_message(reasons) + self._log.hint(), reasons)
        # The metrics are its last endpoint, which it opens after it reports readiness.
        metrics = not METRICS_OFF.intersection(argument.lower() for argument in self.extra)
        while not health.answers(self.http_url, health.READY) or (
            metrics and not health.answers(self.metrics_url, "/metrics")
        ):
            pause()

    def _too_slow(self, limit: float, waiting: Sequence[str]) -> ServerError:
        log = self.log()
        names = f", still without {', '.join(waiting)}" if log else ""
        rule = f" (the limit for {self._processes} processes)" if self.timeout is None else ""
        error = f"; its last error: {last_error(log)}" if last_error(log) else ""
        return ServerError(
            f"tritonserver was not ready after {limit:g} s{rule}{names}; allow more time with "
            f"--timeout SECONDS, or build with fewer instances{error}{self._log.hint()}"
        )

    def log(self) -> str:
        """Tritonserver's log since its last start; empty unless it goes to a file."""
        return self._log.text()

    def poll(self) -> int | None:
        """Exit status of tritonserver (128 + n for signal n), None while it runs."""
        return None if self._process is None else self._process.poll()

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait until tritonserver ends; its status, or None when `timeout` seconds have passed."""
        if self._process is None:
            raise ServerError("this server is not running")
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(timeout)
        return None

    def kill(self) -> None:
        """Kill tritonserver; the connections of clients break."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self.wait()

    def restart(self) -> None:
        """Stop the server if it runs, and start it again on the same ports.

        Raises:
            ServerError: as `start`; the server is then stopped.
        """
        self.stop()
        self._ports = self._ports_in_use
        self.start()

    def stop(self) -> None:
        """Stop the server and all its processes; does nothing if it does not run."""
        process, self._process = self._process, None
        if process is not None:
            process.stop()

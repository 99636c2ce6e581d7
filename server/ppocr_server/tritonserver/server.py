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
from ppocr_server.tritonserver.backend_folder import assemble_backends
from ppocr_server.tritonserver.diagnosis import (
    early_end,
    failed_models,
    failure_message,
    last_error,
    loaded_models,
)
from ppocr_server.tritonserver.launch import (
    check_stub,
    shell_safe,
    triton_command,
    triton_environment,
)
from ppocr_server.tritonserver.locate import find_tritonserver
from ppocr_server.tritonserver.log import TritonLog
from ppocr_server.tritonserver.ports import choose_ports, reachable
from ppocr_server.tritonserver.process import GuardedProcess
from ppocr_server.tritonserver.process_count import process_count, start_seconds, surplus
from ppocr_server.tritonserver.shm_size import free_bytes, shortage
from ppocr_server.tritonserver.versions import component_versions, version_line

LOG = logging.getLogger(__name__)
METRICS_OFF = {"--allow-metrics=false", "--allow-metrics=0"}
POLL_SECONDS = 0.05
# Another process can take a port that was picked as free, and Triton sometimes crashes while it
# starts on a busy machine.
START_TRIES = 3


class TritonServer:
    """A tritonserver process; the context manager starts it, waits until it is ready, and stops it.

    Attributes (once started):
        http_url, grpc_url, metrics_url: "host:port" of each endpoint.
        pid: process id of tritonserver.
        session: session id of tritonserver and every process it starts.
        shared_memory_prefix: of the names of its regions in /dev/shm.
        security: its access rules, with the operator's key.
        host: the address that it listens on, as given.
        models: names of the models it serves.
    """

    http_url: str
    grpc_url: str
    metrics_url: str
    pid: int
    session: int
    shared_memory_prefix: str
    models: list[str]

    def __init__(
        self,
        model_repository: str | Path,
        *,
        http_port: int = 0,
        grpc_port: int = 0,
        metrics_port: int = 0,
        host: str = "127.0.0.1",
        log_path: str | Path | int | None = None,
        timeout: float | None = None,
        grace: float = 30.0,
        tritonserver: str | Path | None = None,
        log_level: str = "info",
        security: Security | None = None,
        extra: Sequence[str] = (),
        progress: Callable[[str], None] | None = None,
    ) -> None:
        """Describe a server; nothing is started before `start` or `with`.

        Args:
            model_repository: folder of models, as `ppocr-convert build` writes it.
            http_port: 0 picks a free one; so for the other two.
            grpc_port: as above.
            metrics_port: as above.
            host: address to listen on; the default answers this machine only.
            log_path: file for tritonserver's log (appended to), "-" for this process's standard
                error, a number an open file descriptor, None for a temporary file that is removed
                with the server.
            timeout: seconds to load all models, None for what `start_seconds` allows.
            grace: seconds tritonserver gets to stop by itself; 0 kills it at once.
            tritonserver: the binary to run, None to look for one (see `locate`).
            log_level: "error", "warning", "info" or "verbose".
            security: access rules; None for the defaults of `Security`.
            extra: further arguments for tritonserver, such as "--rate-limit=off".
            progress: called repeatedly with a short text during the start.
        """
        self._repository = Path(model_repository).absolute()
        self._wanted_ports = {"http": http_port, "grpc": grpc_port, "metrics": metrics_port}
        self.security = security or Security()
        self.host, self._hosts = host, self.security.hosts(host)
        self._log = TritonLog(log_path)
        self._timeout = timeout
        self._grace = grace
        self._tritonserver = tritonserver
        self._log_level = log_level
        self._extra = tuple(extra)
        self._progress = progress or (lambda text: None)
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
        self.installation = find_tritonserver(self._tritonserver)
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
            shortage(found.configs, free_bytes(), in_processes),
            surplus(self._processes, available_cores()),
        ):
            if warning:
                LOG.warning("ppocr-serve: %s", warning)
        for tries_left in reversed(range(START_TRIES)):
            with contextlib.ExitStack() as undo:
                undo.callback(self.stop)
                ports = choose_ports(self._hosts, self._wanted_ports)
                self._launch(ports, complete=found.complete)
                try:
                    self._wait_until_ready()
                except (PortInUseError, KilledError) as error:
                    # Only a port that was picked here can be picked again.
                    fixed = isinstance(error, PortInUseError) and all(self._wanted_ports.values())
                    if not tries_left or fixed:
                        raise
                    LOG.warning("ppocr-serve: %s; starting it again", error)
                    continue
                undo.pop_all()
                self._ports = ports
                return self
        raise AssertionError("unreachable: the last attempt returns or raises")

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
        self._wanted_ports = self._ports
        self.start()

    def _launch(self, ports: dict[str, int], *, complete: bool) -> None:
        urls = {name: f"{reachable(self._hosts[name])}:{port}" for name, port in ports.items()}
        self.http_url, self.grpc_url, self.metrics_url = urls.values()
        run_folder = Path(tempfile.mkdtemp(prefix="ppocr-serve-"))
        # Marks this server's shared memory, so that no other is ever touched.
        self.shared_memory_prefix = prefix = f"ppocr-{os.getpid()}-{secrets.token_hex(4)}-"
        command = triton_command(
            self.installation,
            repository=shell_safe(self._repository, run_folder / "repository"),
            complete=complete,
            backends=assemble_backends(self.installation, run_folder / "backends"),
            hosts=self._hosts,
            ports=ports,
            prefix=prefix,
            log_level=self._log_level,
            exit_seconds=self._grace,
            extra=[*self.security.arguments(), *self._extra],
        )
        with self._log.opened(run_folder) as log:
            header = version_line(component_versions(self.installation))
            engines = ", ".join(f"{name} by {engine}" for name, engine in self.engines.items())
            os.write(log, f"ppocr-serve: {header}\nppocr-serve: {engines}\n".encode())
            self._process = GuardedProcess(
                command,
                self._environment,
                run_folder=run_folder,
                prefix=prefix,
                log=log,
                grace=self._grace,
            )
        self.pid, self.session = self._process.pid, self._process.session

    def _wait_until_ready(self) -> None:
        """Return when all models are loaded; raise the reason if that fails."""
        limit = self._start_seconds if self._timeout is None else self._timeout
        deadline = time.monotonic() + limit

        def pause() -> None:
            if self._process is not None and self._process.poll() is not None:
                raise early_end(self.poll() or 0, self.log(), self._log.hint())
            if time.monotonic() > deadline:
                raise self._too_slow(limit)
            self._progress(self._progress_text())
            time.sleep(POLL_SECONDS)

        # Triton opens its endpoints after every model has been loaded or refused.
        while (index := health.model_index(self.http_url, self.security.headers)) is None:
            pause()
        reasons = failed_models(index, self.models, self.log())
        if reasons:
            raise ModelLoadError(failure_message(reasons) + self._log.hint(), reasons)
        while not (health.is_ready(self.http_url) and self._metrics_are_served()):
            pause()

    def _metrics_are_served(self) -> bool:
        """Whether Triton has opened its last endpoint, which it does after it reports readiness."""
        if METRICS_OFF.intersection(argument.lower() for argument in self._extra):
            return True
        return health.answers(self.metrics_url, "/metrics")

    def _progress_text(self) -> str:
        done = len(loaded_models(self.log()) & set(self.models))
        return f"{done} of {len(self.models)} models loaded"

    def _too_slow(self, limit: float) -> ServerError:
        log = self.log()
        waiting = [name for name in self.models if name not in loaded_models(log)]
        names = f", still without {', '.join(waiting)}" if log else ""
        rule = f" (the limit for {self._processes} processes)" if self._timeout is None else ""
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

    def stop(self) -> None:
        """Stop the server and all its processes; does nothing if it does not run."""
        process, self._process = self._process, None
        if process is not None:
            process.stop()

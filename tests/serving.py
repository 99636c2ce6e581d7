"""`ppocr-serve` as a process of its own."""

import http.client
import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ppocr_server.tritonserver.process_guard import leftovers, shared_memory
from ppocr_server.watch.stubs import stub_of

# As `ppocr-serve`, whether or not the environment's bin folder is on PATH.
SERVE = [sys.executable, "-m", "ppocr_server.cli"]
FREE = ["--http-port", "0", "--grpc-port", "0", "--metrics-port", "0", "--gateway-port", "none"]


@dataclass(frozen=True)
class Served:
    """A running `ppocr-serve --json`.

    Attributes:
        process: its own.
        ready: what it printed when ready.
    """

    process: subprocess.Popen[str]
    ready: Mapping[str, Any]
    _errors: IO[str]

    def errors(self) -> str:
        """What it wrote to standard error until now."""
        self._errors.seek(0)
        return self._errors.read()

    def replaced(self, times: int) -> bool:
        """Whether its tritonserver has been replaced so many times, and is up."""
        return self.errors().count("ready again") == times


@contextmanager
def serving(
    repository: Path,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    inside: Callable[[Sequence[str]], list[str]] = list,
) -> Iterator[Served]:
    """Serve a repository on free ports while the block runs; it is killed at the end.

    Args:
        repository: folder of models.
        arguments: further ones for `ppocr-serve`.
        environment: what to add to this process's.
        inside: makes of a command line another one, which runs it elsewhere.
    """
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            inside([*SERVE, "--model-repository", str(repository), *FREE, "--json", *arguments]),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, **(environment or {})},
        )
        assert process.stdout is not None
        with process.stdout as answers:
            try:
                line = answers.readline()
                errors.seek(0)
                assert line, errors.read()
                yield Served(process, json.loads(line), errors)
            finally:
                process.kill()
                process.wait()


def instances(pid: int) -> dict[str, int]:
    """The process ids of a tritonserver's stubs by the names of their instances."""
    found = {child: stub_of(child) for child in leftovers(os.getsid(pid))}
    return {stub.name: child for child, stub in found.items() if stub is not None}


def eventually(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Whether a condition comes true within so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def is_gone(session: int, prefix: str) -> bool:
    """Whether a server has left neither a process nor shared memory."""
    return not leftovers(session) and not shared_memory(prefix)


def get(url: str) -> bytes:
    """The body at "host:port/path"."""
    with urllib.request.urlopen(f"http://{url}", timeout=10) as answer:
        data: bytes = answer.read()
        return data


def answers(url: str) -> bool:
    """Whether "host:port/path" is answered with 200."""
    try:
        get(url)
    except OSError:
        return False
    return True


def ask(
    url: str,
    method: str,
    path: str,
    body: bytes | str = b"",
    headers: Mapping[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
) -> tuple[int, bytes]:
    """Status and body of an answer of "host:port"; the path is sent as it is."""
    status, _, answer = exchange(url, method, path, body, headers, tls)
    return status, answer


def exchange(
    url: str,
    method: str,
    path: str,
    body: bytes | str = b"",
    headers: Mapping[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
) -> tuple[int, http.client.HTTPMessage, bytes]:
    """The same, with the headers of the answer."""
    connection = (
        http.client.HTTPConnection(url, timeout=60)
        if tls is None
        else http.client.HTTPSConnection(url, timeout=60, context=tls)
    )
    with closing(connection):
        connection.request(method, path, body, dict(headers or {}))
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()

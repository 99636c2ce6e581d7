"""The command `doctor`: is a server reachable and ready, does it read, how fast is each step."""

from __future__ import annotations

import argparse
import base64
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from ppocr_client.client import OcrClient
from ppocr_client.commands.arguments import add_connection, client_of
from ppocr_client.errors import OcrError
from ppocr_client.transport.server_info import timed

HELP = "check a server: reachable, models ready, a test picture, time in each step"
DESCRIPTION = (
    "Check a server from this machine: is it reachable, are its models ready, does it read a test "
    "picture, and how long does each step take. The exit code is 1 if a check fails."
)
PIPELINE = ("detect", "recognize")
TEXT = "TRITON 2026"

# A PNG of 320 x 96 pixels that says TEXT, in DejaVu Sans.
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAUAAAABgAQAAAABEMJaFAAAB1ElEQVR42u2WMW7cMBBFn7TCSoUBqXRlKzfwARyvrpI7"
    "pEhhJAywhW+Rq2g3QOrcwFynSROABlwQAVeTgpRWpJ0gVZqIDYXR4+fMH1JQJvzdyFnABVzABfy/wSzMUsAOdopj4QMi"
    "BkpKMQZKy0ZK+SyiEWHjuBSDiMik+NNPlq84AE13RDu+Y+KtRQFg3lsGgMxqLgwbx8GOYO02tjZ+Pny89QvXa9wbS9/z"
    "ZR0pVj0Ae24QgHOMVWrFwF0Wgb40trT+oc2ArqClSezRXhihUmPMAZL46B+EIADw+CfDG6Do55Gh/U0LTxvj8z02ETjM"
    "dtFR8OkpVmwTXHyyD5ghAt0Jz8xsTc+3+wi0XZpsG/w9a9QMfGxmNbwDcH7lHVSR4ioVtLGxadUa4BrAKIChCb6OYH0/"
    "W3cBcPA1tmln5jmGcwQ5tiPpTDX2zSpqf45AhwReOGZm8rsiJKCT06PDHTS+3UNDDexHIn9mSrivrgUKtqOjE+j7xi3a"
    "+2E7oJdqfJEq3rAPySoqpYZmtD6P+4Z82PrgAYpPlWvhrVGnYqdx1dWh6qz+8XDJLh9evxoixetwua6m78/Ke93mL+VY"
    "MrswfQ9wfgaQLX97C7iAC7iA/wj8Bc3ZoUShjaLkAAAAAElFTkSuQmCC"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_connection(parser)


@dataclass
class Report:
    """The result of the checks."""

    url: str
    #: Name, whether it succeeded, and a message; a failed check is the last.
    checks: list[tuple[str, bool, str]] = field(default_factory=list)
    #: Milliseconds that each model spent on the test picture.
    steps: dict[str, float] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether all checks succeeded."""
        return all(ok for _, ok, _ in self.checks)


def run(args: argparse.Namespace) -> int:
    """Check and report; 0 if all is well, else 1."""
    with client_of(args) as client:
        report = examine(client, args.model, args.wait)
    if args.json:
        sys.stdout.write(json.dumps({"ok": report.ok, **asdict(report)}, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write("".join(f"{line}\n" for line in lines(report)))
    return 0 if report.ok else 1


def examine(client: OcrClient, model: str, wait: float | None = None) -> Report:
    """All checks, one after the other, up to the first that fails."""
    report = Report(client.url)
    checks: dict[str, Callable[[], str]] = {
        "server": lambda: _server(client),
        "models": lambda: _models(client, model),
        "limits": lambda: _limits(client),
        "test picture": lambda: _test_picture(client, model, report),
    }
    if wait is not None:
        checks = {"ready": lambda: _ready(client, wait), **checks}
    for name, check in checks.items():
        try:
            report.checks.append((name, True, check()))
        except OcrError as error:
            report.checks.append((name, False, str(error)))
            break
    return report


def lines(report: Report) -> list[str]:
    """The report for people."""
    said = [f"{'ok  ' if ok else 'FAIL'}  {name}: {what}" for name, ok, what in report.checks]
    steps = [f"      {name:16} {spent:8.1f} ms" for name, spent in report.steps.items()]
    return [report.url, *said, *steps]


def _ready(client: OcrClient, wait: float) -> str:
    client.wait_ready(wait)
    return f"within {wait:g} s"


def _server(client: OcrClient) -> str:
    start = time.perf_counter()
    info = client.server_info()
    spent = 1000 * (time.perf_counter() - start)
    return f"{info.name} {info.version}, asked in {spent:.0f} ms"


def _models(client: OcrClient, model: str) -> str:
    models = client.server_info().models
    missing = [name for name in (model, *PIPELINE) if name not in models]
    if missing:
        raise OcrError(
            f"{', '.join(missing)} not ready; ready: {', '.join(models) or 'none'}; "
            "the server's log says why"
        )
    return ", ".join(f"{name} (version {', '.join(models[name])})" for name in models)


def _limits(client: OcrClient) -> str:
    limits = client.server_info().limits
    return ", ".join(f"{name} {value}" for name, value in limits.items()) or "none named"


def _test_picture(client: OcrClient, model: str, report: Report) -> str:
    """Read it twice: the first request may warm the models up; the second is reported."""
    client.read(PICTURE)
    result, spent, work = timed(client, model, lambda: client.read(PICTURE))
    for name, (requests, seconds) in work.items():
        report.steps[name] = round(1000 * seconds / requests, 1)
    if not any(line.text.replace(" ", "") == TEXT.replace(" ", "") for line in result.lines):
        raise OcrError(f"read {result.text!r} instead of {TEXT!r}")
    return f"read {result.text!r} in {1000 * spent:.0f} ms"

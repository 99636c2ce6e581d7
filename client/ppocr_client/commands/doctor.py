"""The command `doctor`: is a server reachable and ready, does it read, how fast is each step."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from ppocr_client.client import OcrClient
from ppocr_client.commands.arguments import add_connection, client_of
from ppocr_client.documents.sample_picture import PICTURE, TEXT
from ppocr_client.errors import OcrError
from ppocr_client.transport.server_info import timed

HELP = "check a server: reachable, models ready, a test picture, time in each step"
DESCRIPTION = (
    "Check a server from this machine: is it reachable, are its models ready, does it read a test "
    "picture, and how long does each step take. The exit code is 1 if a check fails."
)
PIPELINE = ("detect", "recognize")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_connection(parser)


@dataclass
class Report:
    """The result of the checks.

    Attributes:
        url: The server's address.
        checks: Name, whether it succeeded, and a message; a failed check is the last.
        steps: Milliseconds that each model spent on the test picture.
    """

    url: str
    checks: list[tuple[str, bool, str]] = field(default_factory=list)
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

    def check(name: str, examine: Callable[[], str]) -> None:
        if report.ok:
            try:
                report.checks.append((name, True, examine()))
            except OcrError as error:
                report.checks.append((name, False, str(error)))

    if wait is not None:
        check("ready", lambda: _ready(client, wait))
    check("server", lambda: _server(client))
    check("models", lambda: _models(client, model))
    check("limits", lambda: _limits(client))
    check("test picture", lambda: _test_picture(client, model, report))
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

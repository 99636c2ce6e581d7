"""`steps`, `tensorrt`, `check-repository`, `explain`: repositories and configurations."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

from ppocr_converters.commands.arguments import add_command, add_opt, show
from ppocr_converters.errors import ConvertError


def add_repository_commands(commands: Any) -> None:
    """Add the commands of this file."""
    text = "copy the Python steps, to change them and build with --source"
    steps = add_command(commands, "steps", run_steps, text)
    steps.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder")

    text = "native engines, built where they will run"
    tensorrt = add_command(commands, "tensorrt", run_tensorrt, text)
    tensorrt.add_argument("repository", type=Path, help="built with --profile tensorrt")
    tensorrt.add_argument("--out", type=Path, help="repository with engines to write")
    text = "only show the commands, as a script"
    tensorrt.add_argument("--print", action="store_true", help=text)
    tensorrt.add_argument("--trtexec", help="the program (that of NVIDIA's containers)")

    text = "would this repository serve here?"
    check = add_command(commands, "check-repository", run_check_repository, text)
    check.add_argument("repository", type=Path)

    text = "what every key of a config.yml becomes"
    explain = add_command(commands, "explain", run_explain, text)
    explain.add_argument("config", type=Path, nargs="?", help="a Paddle Serving config.yml")
    add_opt(explain)
    text = "with the keys that are not written, and their defaults"
    explain.add_argument("--all", action="store_true", help=text)
    explain.add_argument("--keys", action="store_true", help="all keys, as a Markdown table")
    explain.add_argument("--language", choices=["en", "zh"], default="en", help="of --keys")
    explain.add_argument("--schema", action="store_true", help="the JSON schema, for editors")


def run_steps(arguments: argparse.Namespace) -> None:
    """Copy the project's steps out of the installed package."""
    from ppocr_converters.repository.source import copy_steps

    copy_steps(arguments.out)
    text = f"{arguments.out}; when changed: ppocr-convert build --source {arguments.out}"
    show(arguments, {"folder": str(arguments.out)}, text)


def run_tensorrt(arguments: argparse.Namespace) -> None:
    """Print, write or run the commands that build engines."""
    from ppocr_converters.repository import engines

    trtexec = arguments.trtexec or engines.TRTEXEC
    if arguments.print:
        planned = engines.plan_commands(arguments.repository, trtexec=trtexec)
        show(arguments, planned, engines.script(list(planned.values())).rstrip())
        return
    if arguments.out is None:
        raise ConvertError("say where the repository with engines goes: --out, or ask for --print")
    manifest = engines.build_engines(arguments.repository, arguments.out, trtexec=trtexec)
    show(arguments, manifest["tensorrt"], str(arguments.out))


def run_check_repository(arguments: argparse.Namespace) -> None:
    """See that a repository can be served here."""
    from ppocr_engine.repository_check import check_repository

    found = check_repository(arguments.repository)
    lines = [f"{arguments.repository}: {', '.join(found.models)}", *found.notes]
    show(arguments, {"models": found.models, "notes": found.notes}, "\n".join(lines))


def run_explain(arguments: argparse.Namespace) -> None:
    """Explain a config.yml."""
    from ppocr_converters.repository.serving_config.explain import (
        explain,
        key_table,
        schema,
        table,
    )
    from ppocr_converters.repository.serving_config.service import load_service

    if arguments.schema:
        print(json.dumps(schema(), indent=2, ensure_ascii=False))
        return
    if arguments.keys:
        print(key_table(arguments.language))
        return
    if arguments.config is None:
        raise ConvertError("name a config.yml to explain, or ask for --keys or --schema")
    rows = explain(load_service(arguments.config, arguments.opt))
    show(arguments, [dataclasses.asdict(row) for row in rows], table(rows, arguments.all))

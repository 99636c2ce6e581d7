"""Single packages got with pip, without their dependencies and without building anything."""

from __future__ import annotations

import subprocess
import sys


def run_pip(command: str, package: str, *options: str) -> str | None:
    """Run `pip download` or `pip install` on one package; returns the reason when it fails."""
    line = [sys.executable, "-m", "pip", command, "--quiet", "--disable-pip-version-check"]
    line += ["--no-deps", "--only-binary", ":all:", *options, package]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return None
    said = done.stderr.strip().splitlines()
    return said[-1] if said else "pip gave no reason"

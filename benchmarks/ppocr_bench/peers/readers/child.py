"""Reads pictures in a process of its own, by whatever Python has the packages for it.

    python child.py NAME SETTINGS

`read_NAME.py` beside this file has `PACKAGES`, what it reads with, and `make(settings)`, which
gives a function from a picture's path to its lines: a list of (text, score, box). SETTINGS is a
JSON object. Each line of standard input holds a path as JSON, each line of standard output
`{"versions": …}` once, then `{"lines": […]}` or `{"error": text}`. The end of standard input ends
the process. What libraries print goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module, metadata
from typing import Any

# Before a library prints its first greeting.
_answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)


def main() -> None:
    """Answer until standard input ends."""
    _, name, settings = sys.argv
    reader = import_module(f"read_{name}")
    read = reader.make(json.loads(settings))
    _send({"versions": {package: metadata.version(package) for package in reader.PACKAGES}})
    for request in sys.stdin:
        try:
            _send({"lines": read(json.loads(request))})
        except Exception as error:  # noqa: BLE001  # whatever a library raises is the answer
            _send({"error": f"{type(error).__name__}: {error}"})


def _send(message: dict[str, Any]) -> None:
    _answers.write(json.dumps(message, ensure_ascii=False) + "\n")
    _answers.flush()


if __name__ == "__main__":
    main()

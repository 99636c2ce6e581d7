"""The child's side of reading pictures in another process: JSON lines on standard input and output.

Out goes `{"versions": {...}}` once everything is loaded. Then for every line that comes in, a JSON
string with the path of a picture, goes out `{"lines": [[text, score, box], ...]}`, box being
[4][2], or `{"error": text}`. The end of standard input ends the process. What libraries print goes
to standard error.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

# Before a library prints its first greeting.
_answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)


def serve(versions: dict[str, str], read: Callable[[str], list[tuple[str, float, Any]]]) -> None:
    """Answer until standard input ends.

    Args:
        versions: of the libraries that read, by name.
        read: a picture's path to its lines.
    """
    _send({"versions": versions})
    for request in sys.stdin:
        try:
            _send({"lines": read(json.loads(request))})
        except Exception as error:  # noqa: BLE001  # whatever a library raises is the answer
            _send({"error": f"{type(error).__name__}: {error}"})


def _send(message: dict[str, Any]) -> None:
    _answers.write(json.dumps(message, ensure_ascii=False) + "\n")
    _answers.flush()

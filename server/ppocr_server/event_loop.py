"""Run the event loop of a process that passes pictures on."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from ppocr_steps.kept_memory import keep_memory


def run_loop(main: Coroutine[Any, Any, None]) -> None:
    """`asyncio.run` in the faster event loop of uvloop."""
    import uvloop

    keep_memory()
    uvloop.run(main)

"""Run the event loop of a process that passes pictures on."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from ppocr_steps.kept_memory import keep_memory


def run_loop(main: Coroutine[Any, Any, None]) -> None:
    """`asyncio.run`, in the faster event loop of uvloop if that is installed."""
    keep_memory()
    try:
        import uvloop
    except ModuleNotFoundError:
        asyncio.run(main)
    else:
        uvloop.run(main)

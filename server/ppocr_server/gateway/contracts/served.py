"""What the server behind the gateway serves, asked for now and then."""

from __future__ import annotations

import time

from starlette.datastructures import State

from ppocr_client import ServerInfo

SECONDS = 60.0


async def served(state: State) -> ServerInfo:
    """What Triton says about itself, at most a minute old: asking takes several calls.

    Args:
        state: of the application, with the `reader`; it holds the last answer.

    Raises:
        OcrError: Triton cannot be asked.
    """
    kept: tuple[float, ServerInfo] | None = getattr(state, "served", None)
    if kept is None or time.monotonic() - kept[0] > SECONDS:
        kept = state.served = (time.monotonic(), await state.reader.server_info())
    return kept[1]

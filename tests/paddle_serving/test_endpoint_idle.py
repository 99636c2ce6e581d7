"""An HTTP endpoint without requests sleeps, and ends as soon as it is told to."""

import asyncio
import socket
from typing import Any

import pytest

from ppocr_server.paddle_serving.http import server
from ppocr_server.paddle_serving.http.server import HttpEndpoint


async def nothing(scope: Any, receive: Any, send: Any) -> None:
    """An application that is never asked."""


def test_it_wakes_for_the_date_and_the_end_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "DATE_SECONDS", 3600.0)
    ticks = []

    class Counted(HttpEndpoint):
        async def on_tick(self, counter: int) -> bool:
            ticks.append(self.should_exit)
            return await super().on_tick(counter)

    async def run() -> None:
        endpoint = Counted(nothing, socket.create_server(("127.0.0.1", 0)), 1.0)
        running = asyncio.ensure_future(endpoint.run_until_exit())
        await asyncio.sleep(0.5)  # uvicorn's own loop would have woken a few times
        assert endpoint.server_state.default_headers[0][0] == b"date"
        endpoint.stop()
        await asyncio.wait_for(running, 30)

    asyncio.run(run())
    assert ticks == [False, True]

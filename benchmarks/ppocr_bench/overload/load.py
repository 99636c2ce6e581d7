"""Requests over gRPC as cheap as they can be sent, so that the sender leaves the cores alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

METHOD = "/inference.GRPCInferenceService/ModelInfer"
CHANNEL = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
SERVED = "OK"
#: What a server with too much to do may answer.
REFUSALS = ("UNAVAILABLE", "RESOURCE_EXHAUSTED")
TIMEOUT = 120.0

#: Send one request of that number; the name of its gRPC status.
Send = Callable[[int], Awaitable[str]]


@dataclass(frozen=True)
class Answer:
    """How one request ended: its gRPC status, when it was sent and answered, seconds."""

    status: str
    sent: float
    answered: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.answered - self.sent


@dataclass
class Window:
    """What was answered in a stretch of time.

    Attributes:
        begin: seconds.
        end: seconds.
        answers: those that came between the two, and those still owed at the end.
    """

    begin: float
    end: float
    answers: list[Answer] = field(default_factory=list)

    def inside(self, *statuses: str) -> list[Answer]:
        """The answers of these statuses that came before the end."""
        return [
            answer
            for answer in self.answers
            if answer.status in statuses and self.begin <= answer.answered <= self.end
        ]

    @property
    def served_per_second(self) -> float:
        """Answers with a result."""
        return len(self.inside(SERVED)) / (self.end - self.begin)

    @property
    def owed(self) -> int:
        """Requests that were let in before the end and answered after it."""
        return sum(a.status == SERVED and a.sent <= self.end < a.answered for a in self.answers)

    @property
    def offered_per_second(self) -> float:
        """Requests that were sent."""
        sent = sum(self.begin <= answer.sent <= self.end for answer in self.answers)
        return sent / (self.end - self.begin)

    def failures(self) -> dict[str, int]:
        """How many ended otherwise than served or refused, by status."""
        odd = [a.status for a in self.answers if a.status not in (SERVED, *REFUSALS)]
        return {status: odd.count(status) for status in sorted(set(odd))}


def encode(pictures: Sequence[bytes]) -> list[bytes]:
    """The pictures as requests for the pipeline, ready to be sent."""
    import numpy as np

    from ppocr_client.transport.base import Infer
    from ppocr_client.transport.codec_grpc import encode as message_of

    return [
        message_of(Infer("ocr", {"IMAGE": np.array([data], np.object_)}, {}))[1].SerializeToString()
        for data in pictures
    ]


class Sender:
    """A gRPC channel that sends ready requests and looks at nothing but their status."""

    def __init__(self, address: str, requests: Sequence[bytes], timeout: float = TIMEOUT) -> None:
        """Connect to "HOST:PORT", in a running event loop."""
        import grpc.aio

        self._channel: Any = grpc.aio.insecure_channel(address, options=CHANNEL)
        self._call = self._channel.unary_unary(METHOD)
        self._requests, self._timeout = requests, timeout

    async def send(self, number: int) -> str:
        """Send the request of that number, counted through; the name of its status."""
        import grpc

        request = self._requests[number % len(self._requests)]
        try:
            await self._call(request, timeout=self._timeout)
        except grpc.RpcError as error:
            return str(error.code().name)
        return SERVED

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close()


async def closed_loop(send: Send, clients: int, seconds: float, lead: float) -> Window:
    """So many clients, each sending the next request when it has its answer.

    Args:
        send: see `Send`.
        clients: requests under way at any time.
        seconds: of the window.
        lead: seconds before it, in which queues fill.
    """
    begin = time.monotonic() + lead
    window = Window(begin, begin + seconds)

    async def client(first: int) -> None:
        number = first
        while (sent := time.monotonic()) < window.end:
            status = await send(number)
            window.answers.append(Answer(status, sent, time.monotonic()))
            number += clients

    await asyncio.gather(*map(client, range(clients)))
    return window


async def open_loop(send: Send, rate: float, seconds: float, lead: float) -> Window:
    """So many requests a second, however long the answers take; then all are awaited.

    Args:
        send: see `Send`.
        rate: requests a second.
        seconds: of the window.
        lead: seconds before it, in which queues fill.
    """
    start = time.monotonic()
    window = Window(start + lead, start + lead + seconds)
    waiting: set[asyncio.Task[None]] = set()

    async def one(number: int) -> None:
        sent = time.monotonic()
        status = await send(number)
        window.answers.append(Answer(status, sent, time.monotonic()))

    for number in range(round(rate * (lead + seconds))):
        await asyncio.sleep(max(0.0, start + number / rate - time.monotonic()))
        task = asyncio.create_task(one(number))
        waiting.add(task)
        task.add_done_callback(waiting.discard)
    await asyncio.gather(*waiting)
    return window

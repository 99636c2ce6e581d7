"""Turns, deadlines, cancelling and closing, with a reader that this test holds in its hand."""

import asyncio
import base64
import contextlib
import functools
import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import pytest

from ppocr_server.paddle_serving.pipeline_service_pb2 import Request, Tensor
from ppocr_server.paddle_serving.protocol import Answer
from ppocr_server.paddle_serving.service import PipelineService
from ppocr_server.paddle_serving.settings import EndpointSettings


def call(number: int) -> Any:
    value = base64.b64encode(b"%d" % number).decode()
    return Request(key=["image"], value=[value], logid=number)


class Reader:
    """Reads pictures when it is told to, and notes in which order they came."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.cancelled: list[str] = []
        self.most = self.now = 0
        self.go = asyncio.Semaphore(0)

    async def __call__(self, picture: bytes, request_id: str) -> str:
        self.begun.append(request_id)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await self.go.acquire()
        except asyncio.CancelledError:
            self.cancelled.append(request_id)
            raise
        finally:
            self.now -= 1
        return picture.decode()


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def asked(service: PipelineService, numbers: Iterable[int]) -> list[asyncio.Task[Answer]]:
    """Calls of these numbers, as far as they come by themselves."""
    calls = [asyncio.create_task(service.answer(call(number))) for number in numbers]
    await settled()
    return calls


def in_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @functools.wraps(test)
    def run(*arguments: Any, **fixtures: Any) -> None:
        asyncio.run(asyncio.wait_for(test(*arguments, **fixtures), 20))

    return run


@in_a_loop
async def test_no_more_than_worker_num_at_a_time_and_the_rest_in_order() -> None:
    reader = Reader()
    service = PipelineService(EndpointSettings(worker_num=3), reader)
    calls = await asked(service, range(1, 11))
    assert (service.running, service.waiting) == (3, 7)
    for _ in calls:
        reader.go.release()
        await settled()
    answers = [(await one).value for one in calls]
    assert answers == [(str(n),) for n in range(1, 11)]
    assert reader.begun == [str(n) for n in range(1, 11)]
    assert reader.most == 3
    assert (service.running, service.waiting) == (0, 0)


@in_a_loop
async def test_one_too_many_is_answered_at_once_and_the_next_one_is_served() -> None:
    reader = Reader()
    service = PipelineService(EndpointSettings(worker_num=1, max_waiting=2), reader)
    calls = await asked(service, (1, 2, 3))
    refused = await service.answer(call(4))
    assert refused.err_no == 6000
    assert "2 are waiting" in refused.err_msg
    for _ in range(4):
        reader.go.release()
    assert [(await one).err_no for one in calls] == [0, 0, 0]
    assert (await service.answer(call(5))).err_no == 0


@in_a_loop
async def test_a_deadline_covers_the_wait_and_gives_the_turn_back_until_it_closes() -> None:
    reader = Reader()
    service = PipelineService(EndpointSettings(worker_num=1, timeout_ms=50), reader)
    answers = await asyncio.gather(service.answer(call(1)), service.answer(call(2)))
    assert [answer.err_no for answer in answers] == [6000, 6000]
    assert "50 ms" in answers[0].err_msg
    assert reader.begun == reader.cancelled == ["1"]
    reader.go.release()
    assert (await service.answer(call(3))).value == ("3",)
    service.closed = True
    assert (await service.answer(call(4))).err_no == 3001


@in_a_loop
async def test_a_client_that_goes_away_gives_its_turn_back() -> None:
    reader = Reader()
    service = PipelineService(EndpointSettings(worker_num=1), reader)
    first, second, third = await asked(service, (1, 2, 3))
    for gone in (second, first):  # one that waits and one that is being read
        gone.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await gone
    reader.go.release()
    assert (await third).value == ("3",)
    assert reader.cancelled == ["1"]
    assert (service.running, service.waiting) == (0, 0)


@in_a_loop
async def test_nothing_in_a_request_breaks_a_line_of_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    service = PipelineService(EndpointSettings(), Reader())
    tensor = Tensor(name="a\nINFO tensor", elem_type=1)
    with caplog.at_level(logging.INFO):
        await service.answer(Request(tensors=[tensor], method="b\r\nINFO method", clientip="c\n"))
        await service.answer(Request(name="d\u2028INFO name"))
    assert "tensor" in caplog.messages[0]
    assert [len(message.splitlines()) for message in caplog.messages] == [1, 1]

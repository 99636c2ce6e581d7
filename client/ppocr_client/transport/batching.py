"""Many pictures with a few requests in flight."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, TypeVar

from ppocr_client.errors import OcrError
from ppocr_client.results import OcrResult

Item = TypeVar("Item")
Made = TypeVar("Made")


@dataclass(frozen=True)
class Reading:
    """The outcome of one of many pictures: its result or its error.

    Attributes:
        index: Which picture it is, counted from 0 in the order they were given.
        image: The picture as it was given.
        result: What was read; None if it failed.
        error: Why it failed; None if it was read.
    """

    index: int
    image: Any
    result: OcrResult | None
    error: OcrError | None

    def get(self) -> OcrResult:
        """The result; the error is raised if there is none."""
        if self.result is None:
            raise self.error or OcrError("nothing was read")
        return self.result


def check_concurrency(concurrency: int) -> int:
    """The number of requests in flight, checked to be 1 or more."""
    if concurrency < 1:
        raise ValueError(f"concurrency is {concurrency}; it must be 1 or more")
    return concurrency


def map_in_threads(
    function: Callable[[Item], Made], items: Iterable[Item], concurrency: int, ordered: bool
) -> Iterator[Made]:
    """Call a function for every item, `concurrency` at a time, in threads.

    Items are taken only as slots come free, so the iterable may be endless. In order, up to as many
    results again wait behind a slow item. Closing the generator cancels the rest.
    """
    pool = ThreadPoolExecutor(concurrency, thread_name_prefix="ppocr-client")
    waiting: deque[Future[Made]] = deque()

    def take() -> Made:
        """The result of the oldest call, or of any that is done."""
        first = waiting[0]
        if not ordered:
            done = wait(waiting, return_when=FIRST_COMPLETED).done
            first = next(future for future in waiting if future in done)
        waiting.remove(first)
        return first.result()

    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= 2 * concurrency:
                yield take()
        while waiting:
            yield take()
    finally:
        pool.shutdown(cancel_futures=True)


async def map_in_tasks(
    function: Callable[[Item], Awaitable[Made]],
    items: Iterable[Item],
    concurrency: int,
    ordered: bool,
) -> AsyncGenerator[Made, None]:
    """As `map_in_threads`, in tasks of the running event loop."""
    slots = asyncio.Semaphore(concurrency)
    waiting: deque[asyncio.Task[Made]] = deque()

    async def one(item: Item) -> Made:
        async with slots:
            return await function(item)

    async def take() -> Made:
        first = waiting[0]
        if not ordered:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            first = next(task for task in waiting if task in done)
        answer = await asyncio.shield(first)
        waiting.remove(first)
        return answer

    try:
        for item in items:
            waiting.append(asyncio.create_task(one(item)))
            if len(waiting) >= 2 * concurrency:
                yield await take()
        while waiting:
            yield await take()
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

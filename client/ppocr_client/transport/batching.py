"""Many pictures, a few at a time."""

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
    """One of many pictures: its result, or the error that it failed with.

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
    """How many at a time, which must be 1 or more."""
    if concurrency < 1:
        raise ValueError(f"concurrency is {concurrency}; it must be 1 or more")
    return concurrency


def run_many(
    function: Callable[[Item], Made], items: Iterable[Item], concurrency: int, ordered: bool
) -> Iterator[Made]:
    """Call a function for every item, `concurrency` at a time, in threads.

    Items are taken only as room comes free, so that they may be endless; in order, up to as many
    again wait behind a slow one. Whoever stops listening stops the rest.
    """
    pool = ThreadPoolExecutor(concurrency, thread_name_prefix="ppocr-client")
    waiting: deque[Future[Made]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= 2 * concurrency:
                yield _take(waiting, ordered)
        while waiting:
            yield _take(waiting, ordered)
    finally:
        pool.shutdown(cancel_futures=True)


async def run_many_async(
    function: Callable[[Item], Awaitable[Made]],
    items: Iterable[Item],
    concurrency: int,
    ordered: bool,
) -> AsyncGenerator[Made, None]:
    """As `run_many`, in tasks of the running event loop."""
    room = asyncio.Semaphore(concurrency)
    waiting: deque[asyncio.Task[Made]] = deque()

    async def one(item: Item) -> Made:
        async with room:
            return await function(item)

    try:
        for item in items:
            waiting.append(asyncio.create_task(one(item)))
            if len(waiting) >= 2 * concurrency:
                yield await _take_async(waiting, ordered)
        while waiting:
            yield await _take_async(waiting, ordered)
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


def _take(waiting: deque[Future[Made]], ordered: bool) -> Made:
    """The first one's answer, or that of any which is done."""
    first = waiting[0]
    if not ordered:
        done = wait(waiting, return_when=FIRST_COMPLETED).done
        first = next(future for future in waiting if future in done)
    waiting.remove(first)
    return first.result()


async def _take_async(waiting: deque[asyncio.Task[Made]], ordered: bool) -> Made:
    first = waiting[0]
    if not ordered:
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        first = next(task for task in waiting if task in done)
    answer = await asyncio.shield(first)
    waiting.remove(first)
    return answer

"""Many pictures at a time: order, bounds, and leaving early."""

import asyncio
import itertools
import threading
import time

import pytest

from ppocr_client.transport.batching import map_in_tasks, map_in_threads


class Slow:
    """Item 0 takes long; counts how many run at once and how many were taken from the source."""

    def __init__(self) -> None:
        self.lock, self.running, self.most, self.taken = threading.Lock(), 0, 0, 0

    def items(self, count: int | None = None):
        for index in itertools.count() if count is None else range(count):
            self.taken += 1
            yield index

    def count(self, change: int) -> None:
        with self.lock:
            self.running += change
            self.most = max(self.most, self.running)

    def work(self, index: int) -> int:
        self.count(1)
        time.sleep(0.2 if index == 0 else 0.005)
        self.count(-1)
        return index

    async def work_async(self, index: int) -> int:
        self.count(1)
        await asyncio.sleep(0.2 if index == 0 else 0.005)
        self.count(-1)
        return index


def gather(slow: Slow, items, ordered: bool, loop: bool, limit: int | None = None) -> list[int]:
    if not loop:
        return list(itertools.islice(map_in_threads(slow.work, items, 3, ordered), limit))

    async def collect():
        answers = []
        stream = map_in_tasks(slow.work_async, items, 3, ordered)
        async for answer in stream:
            answers.append(answer)
            if len(answers) == limit:
                await stream.aclose()
        return answers

    return asyncio.run(collect())


@pytest.mark.parametrize("loop", [False, True])
def test_in_order_or_as_they_come_and_never_more_than_allowed(loop):
    slow = Slow()
    assert gather(slow, slow.items(20), True, loop) == list(range(20))
    assert slow.most == 3
    answers = gather(slow, slow.items(20), False, loop)
    assert sorted(answers) == list(range(20))
    assert answers.index(0) > 3
    assert gather(slow, [], True, loop) == []


@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("ordered", [False, True])
def test_items_may_be_endless(ordered, loop):
    slow = Slow()
    assert len(gather(slow, slow.items(), ordered, loop, limit=5)) == 5
    assert slow.taken <= 5 + 6
    assert slow.running == 0 or loop  # a task that is cancelled does not get to leave

"""The load generator, and the arithmetic on what it records."""

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from ppocr_bench.clients import look, own_seconds
from ppocr_bench.load import Status, closed_loop, in_turns, open_loop
from ppocr_bench.machine import cpu_since, cpu_snapshot
from ppocr_bench.record import Answer, BenchError, Run, percentile_ms, summarise
from ppocr_bench.target import Serving

RUN = Run(
    10.0,
    20.0,
    [
        Answer(0, "OK", 9.0, 9.5),  # before the window
        Answer(1, "OK", 9.0, 12.0),
        Answer(2, "OK", 12.0, 13.0),
        Answer(3, "UNAVAILABLE", 12.0, 12.5),
        Answer(4, "OK", 19.0, 24.0),  # after it
    ],
    {"det": 1.0, "rec": 3.0},
)


def test_items_are_sent_in_turn_and_counted_equally_often():
    asked: list[int] = []
    run = closed_loop(asked.append, 1, seconds=0.001, items=3)
    assert asked == list(range(len(asked)))
    assert len(run.counted()) == len(asked) == len(asked) // 3 * 3
    assert run.per_second * (run.end - run.begin) == pytest.approx(len(asked))


def test_so_many_clients_ask_at_the_same_time():
    lock, now, most = threading.Lock(), 0, 0

    def ask(number: int) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.05)
        with lock:
            now -= 1

    run = closed_loop(ask, 4, seconds=0.1, items=2)
    assert most == 4
    assert len(run.counted()) % 2 == 0 < len(run.counted())


def test_what_fills_the_queues_is_not_counted():
    run = closed_loop(lambda number: time.sleep(0.5 if number < 2 else 0.002), 2, seconds=0.02)
    assert max(run.latencies()) < 0.5
    assert len(run.answers) > len(run.counted())


def test_so_many_requests_are_sent_and_all_counted():
    run = closed_loop(lambda number: number, 3, requests=10)
    assert sorted(answer.value for answer in run.counted()) == list(range(10))


@pytest.mark.parametrize("clients", [1, 3])
def test_a_failure_ends_the_load(clients):
    def fail(number: int) -> None:
        raise BenchError("gone")

    with pytest.raises(BenchError, match="gone"):
        closed_loop(fail, clients, seconds=60)
    with pytest.raises(BenchError, match="gone"):
        open_loop(fail, 100, 0.02)


def test_cases_take_turns_and_those_that_warm_up_do_not_count():
    asked: list[str] = []

    def take(name: str) -> int:
        asked.append(name)
        return len(asked)

    turns = in_turns({name: partial(take, name) for name in "ab"}, rounds=2, warm_up=1)
    assert asked == list("ababab")
    assert turns == {"a": [3, 5], "b": [4, 6]}


def test_an_open_loop_does_not_wait_for_answers():
    """No request is answered before the last one was sent."""
    last_was_sent = threading.Event()

    def send(number: int) -> Status:
        if number == 14:
            last_was_sent.set()
        assert last_was_sent.wait(60)
        return Status("UNAVAILABLE" if number % 2 else "OK")

    run = open_loop(send, 50, 0.2, lead=0.1)
    assert run.statuses == {"OK": 8, "UNAVAILABLE": 7}
    assert run.end - run.begin == pytest.approx(0.2)


def test_only_answers_within_the_window_count():
    assert RUN.per_second == pytest.approx((2 / 3 + 1 + 1 / 5) / 10)  # by their parts in it
    assert RUN.latencies() == [3.0, 1.0]
    assert RUN.latencies("UNAVAILABLE") == [0.5]
    assert RUN.cpu_ms == 1000.0  # of all four with a result
    found = summarise([RUN, Run(0.0, 1.0, [Answer(0, "OK", 0.5, 1.0)])])
    assert found["rounds"] == [RUN.per_second, 1.0]
    assert found["pictures_per_second"] == (RUN.per_second + 1) / 2
    assert (found["requests"], found["p50_ms"]) == (3, 1000.0)


def test_percentiles():
    assert percentile_ms([], 99) is None
    assert percentile_ms([0.003], 99) == 3.0
    assert percentile_ms([0.001, 0.002, 0.003], 50) == pytest.approx(2.0)


def test_processor_time_is_counted_by_process():
    before = cpu_snapshot(os.getpid())
    sum(range(3_000_000))
    assert cpu_since(os.getpid(), before)["tritonserver"] > 0.01
    assert cpu_since(None, {}) == {}


def test_who_looks_at_the_server_is_no_client():
    with ThreadPoolExecutor(1) as pool:
        before, began = pool.submit(own_seconds).result(), time.thread_time()
        sum(range(3_000_000))
        looked = time.thread_time() - began
        assert pool.submit(own_seconds).result() - before < looked / 2
        worked = pool.submit(lambda: (own_seconds(), sum(range(3_000_000)), own_seconds())).result()
    assert worked[2] - worked[0] > 0.01
    begin = own_seconds()
    sum(range(3_000_000))
    assert own_seconds() - begin > 0.01


def test_what_a_process_holds_is_seen_until_it_is_gone():
    grows = "import sys; input(); kept = b'x' * (32 << 20); print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", grows], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        before = look(Serving([], child.pid))["memory_mib"]
        assert child.stdin is not None
        assert child.stdout is not None
        print(file=child.stdin, flush=True)
        child.stdout.readline()
        after = look(Serving([], child.pid))
        assert after["memory_mib"] > before + 16
    assert after.keys() == {"memory_mib"}  # there are no metrics to ask for GPUs
    with pytest.raises(BenchError, match="process 4194999 is not there"):
        look(Serving([], 4194999))

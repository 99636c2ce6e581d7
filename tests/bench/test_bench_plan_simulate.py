"""The simulation of a server, held to what queueing theory knows exactly."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import repeat
from random import Random
from statistics import fmean

import pytest

from ppocr_bench.plan.arrivals import measured, poisson
from ppocr_bench.plan.simulate import Server, Station, Visit, simulate_closed, simulate_open

MANY = 40_000


def one_step(instances: int | None, cores: int) -> Server:
    return Server({"work": Station(instances, "cores")}, {"cores": cores})


def exponential(mean: float, seed: int) -> Iterator[list[Visit]]:
    random = Random(seed)
    while True:
        yield [Visit("work", random.expovariate(1 / mean))]


def erlang_c(servers: int, offered: float) -> float:
    """The probability that one who comes must wait."""
    last = offered**servers / math.factorial(servers) * servers / (servers - offered)
    return last / (sum(offered**k / math.factorial(k) for k in range(servers)) + last)


@pytest.mark.parametrize(("servers", "rate"), [(1, 0.6), (2, 1.4), (4, 3.0)])
def test_many_instances_wait_as_erlang_says(servers: int, rate: float) -> None:
    server = one_step(servers, servers)
    outcome = simulate_open(server, exponential(1.0, 1), poisson(rate, MANY, 2))
    expected = 1 + erlang_c(servers, rate) / (servers - rate)
    assert fmean(outcome.latencies) == pytest.approx(expected, rel=0.05)
    assert outcome.throughput == pytest.approx(rate, rel=0.02)


def test_one_instance_of_constant_work_waits_as_pollaczek_and_khinchine_say() -> None:
    outcome = simulate_open(one_step(1, 1), repeat([Visit("work", 1.0)]), poisson(0.7, MANY, 3))
    assert fmean(outcome.latencies) == pytest.approx(1 + 0.7 / (2 * (1 - 0.7)), rel=0.05)


def test_a_shared_core_does_not_mind_how_work_is_distributed() -> None:
    """The mean of M/G/1 under processor sharing depends on the mean of the work alone."""
    server, arrivals = one_step(None, 1), poisson(0.6, MANY, 4)
    for pictures in (repeat([Visit("work", 1.0)]), exponential(1.0, 5)):
        outcome = simulate_open(server, pictures, arrivals)
        assert fmean(outcome.latencies) == pytest.approx(1 / (1 - 0.6), rel=0.05)


def test_a_closed_loop_keeps_its_bounds_and_littles_law() -> None:
    server = Server({"first": Station(2, "cores"), "second": Station(1, "cores")}, {"cores": 2})
    picture = [Visit("first", 0.2), Visit("second", 0.3)]
    for clients in (1, 2, 3, 8):
        outcome = simulate_closed(server, repeat(picture), clients, 500)
        bound = min(clients / 0.5, 1 / 0.3, 2 / 0.5)
        assert outcome.throughput <= bound * 1.01
        assert outcome.throughput * fmean(outcome.latencies) == pytest.approx(clients, rel=0.02)
    assert outcome.throughput == pytest.approx(1 / 0.3, rel=0.01)  # the second step is always busy


@pytest.mark.parametrize(
    ("instances", "cores", "seconds"), [(4, 4, 1.0), (2, 4, 2.0), (4, 2, 2.0), (1, 1, 4.0)]
)
def test_lines_of_a_picture_are_read_at_the_same_time(
    instances: int, cores: int, seconds: float
) -> None:
    stations = {"recognize": Station(1, "cores"), "rec": Station(instances, "cores")}
    picture = [Visit("recognize", 0.5, inside=((Visit("rec", 1.0),) * 4,))]
    server = Server(stations, {"cores": cores})
    assert simulate_open(server, [picture], [0.0]).latencies == [pytest.approx(0.5 + seconds)]


def test_an_instance_is_kept_until_what_is_inside_has_ended() -> None:
    stations = {"recognize": Station(1, "cores"), "rec": Station(1, "GPUs")}
    picture = [Visit("recognize", 0.0, inside=((Visit("rec", 1.0),), (Visit("rec", 2.0),)))]
    server = Server(stations, {"cores": 8, "GPUs": 1})
    assert simulate_open(server, [picture] * 2, [0.0, 0.0]).latencies == [3.0, 6.0]


def test_threads_of_an_instance_share_the_cores() -> None:
    picture = [Visit("work", 4.0, pieces=4)]
    for cores, seconds in ((4, 1.0), (2, 2.0), (1, 4.0)):
        assert simulate_open(one_step(1, cores), [picture], [0.0]).latencies == [seconds]


def test_measured_arrivals_keep_their_bursts_and_get_the_rate() -> None:
    gaps = [0.0, 0.0, 9.0]  # three at once, and then nothing for long
    alone = measured(gaps, 2.0, 1, 300, 1)
    assert len(set(alone)) == 100 + 1
    assert 300 / alone[-1] == pytest.approx(2.0, rel=0.02)
    shared = measured(gaps, 2.0, 4, 3000, 1)
    assert 3000 / shared[-1] == pytest.approx(0.5, rel=0.1)

"""The search for the fastest setting: what is tried, what is kept, and what is written."""

import argparse
import contextlib
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import pytest
import yaml

from ppocr_bench import machine
from ppocr_bench.machine import Disturbance
from ppocr_bench.pictures import Picture, blank
from ppocr_bench.record import BenchError
from ppocr_bench.verbs import tune
from ppocr_bench.verbs.tune import (
    Setting,
    Trial,
    choose,
    read_configs,
    read_setting,
    search,
    section,
    shares,
    side_by_side,
    steps,
    with_setting,
)

BASE = Setting(2, 1, 2, 1, 1, "96-3200/32")


def trial(setting: Setting, *rounds: float, p99_ms: float = 100) -> Trial:
    """What was measured in so many rounds."""
    figures = {"pictures_per_second": median(rounds), "rounds": list(rounds), "p99_ms": p99_ms}
    return Trial(setting, figures)


def test_every_share_of_the_cores_is_tried():
    assert shares(1) == [(1, 1)]
    assert shares(2) == [(2, 1), (1, 2), (2, 2)]
    assert shares(8) == [(8, 1), (4, 2), (2, 4), (1, 8), (8, 2)]
    assert shares(6)[:4] == [(6, 1), (3, 2), (2, 3), (1, 6)]


def test_a_gpu_is_tried_with_larger_batches():
    on_cpu, on_gpu = (
        dict(steps(2, s)) for s in (BASE, BASE._replace(det_threads=0, rec_threads=0))
    )
    assert {value["rec_batch_size"] for value in on_cpu["lines in a call"]} == {1, 2, 4, 8}
    assert {value["rec_batch_size"] for value in on_gpu["lines in a call"]} == {8, 16, 32, 64}
    assert all(value["det_threads"] == 0 for value in on_gpu["det instances and threads"])


def test_the_fastest_is_kept_when_it_is_worth_the_change():
    other = BASE._replace(rec_batch_size=4)
    default = trial(BASE, 100, 110, 120)
    assert choose([default, trial(other, 112, 112, 112)], None).setting == BASE
    assert choose([default, trial(other, 115, 120, 90)], None).setting == other


def test_the_latency_limit_comes_before_speed():
    slow = trial(BASE._replace(det_threads=2), 20, p99_ms=900)
    quick = trial(BASE._replace(rec_threads=2), 8, p99_ms=300)
    assert choose([trial(BASE, 10, p99_ms=500), slow, quick], 600).setting == BASE
    assert choose([trial(BASE, 10, p99_ms=500), slow, quick], 400) == quick
    assert choose([trial(BASE, 10, p99_ms=500), slow, quick], 100) == quick
    late = trial(slow.setting, 9, p99_ms=1)
    assert choose([trial(BASE, 10, p99_ms=700), late], 600) == late


def test_a_step_goes_on_from_what_the_one_before_found():
    asked = []

    def measure(settings: Sequence[Setting]) -> list[Trial]:
        asked.append(settings)
        return [trial(one, 4 * one.det_threads + one.rec_batch_size) for one in settings]

    plan = [
        ("a", [{"det_threads": n} for n in (1, 2, 1)]),
        ("b", [{"rec_batch_size": n} for n in (1, 4)]),
    ]
    best, trials = search(BASE, plan, measure, None)
    assert best == BASE._replace(det_threads=2, rec_batch_size=4)
    tried = [[(one.det_threads, one.rec_batch_size) for one in settings] for settings in asked]
    assert tried == [[(1, 1), (2, 1)], [(2, 1), (2, 4)]]  # two at a time, none twice
    assert len(trials) == 4


def test_only_what_differs_is_written():
    assert section(BASE, BASE) == "# the defaults are the fastest that was found"
    changed = BASE._replace(det_instances=1, det_threads=2, rec_buckets="160,320")
    assert yaml.safe_load(section(changed, BASE)) == {
        "triton": {"det_instances": 1, "det_threads": 2, "rec_buckets": "160,320"}
    }


def test_a_setting_is_read_as_it_was_written(repository):
    before = read_setting(repository)
    wanted = Setting(3, 2, 1, 4, 8, "160,320")
    with with_setting(repository, wanted) as changed, with_setting(changed, BASE) as back:
        assert read_setting(changed) == wanted
        assert read_setting(back) == BASE
        calls = [read_configs(one)["recognize"].parameters["rec_calls"] for one in (changed, back)]
        assert [one.string_value for one in calls] == ["2", "3"]  # as `build` writes them
    assert read_setting(repository) == before


def test_a_folder_without_models_is_refused(tmp_path):
    with pytest.raises(BenchError, match=r"has no det, rec, recognize; build one with"):
        read_setting(tmp_path)


def test_the_gain_is_that_of_the_last_rounds():
    last = [trial(BASE, 10, 10), trial(BASE._replace(rec_batch_size=4), 11, 13)]
    found = tune.judge([], last, None)
    assert found.ok
    assert found.settings["gain"] == pytest.approx(0.2)
    assert not tune.judge([], last, 50).ok


def test_processor_time_of_others_is_told_from_ones_own(monkeypatch):
    """Of 8 core seconds in which the cores were busy, 5 were one's own; 2 more were stolen."""
    readings = iter([(100.0, 10.0, 40.0), (108.0, 12.0, 45.0)])
    monkeypatch.setattr(machine, "_core_seconds", lambda: next(readings))
    monkeypatch.setattr(machine, "available_cores", lambda: 2)
    clock = iter([50.0, 60.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    with machine.disturbance() as found:
        pass
    assert (found.others, found.stolen, found.busy) == (3 / 20, 2 / 20, True)


def test_ones_own_processor_time_is_part_of_all():
    before = machine._core_seconds()
    sum(range(3_000_000))
    busy, stolen, own = (
        after - then for after, then in zip(machine._core_seconds(), before, strict=False)
    )
    assert min(busy, own) > 0 <= stolen


@pytest.mark.server
@pytest.mark.nightly
def test_settings_are_measured_side_by_side(repository):
    load = {"rounds": 2, "clients": 2, "seconds": 0.1, "force": True}
    args = argparse.Namespace(repository=repository, **load)
    default = read_setting(repository)
    settings = [default, default._replace(det_instances=1, rec_batch_size=2)]
    picture = Picture("landscape.jpg", Path("samples/landscape.jpg").read_bytes())
    before = {p: p.read_bytes() for p in repository.glob("*/config.pbtxt")}
    found = side_by_side(args, [picture], settings)
    assert [one.setting for one in found] == settings
    for one in found:
        assert len(one.figures["rounds"]) == 2
        assert min(*one.figures["rounds"], one.figures["p99_ms"]) > 0
    assert {p: p.read_bytes() for p in repository.glob("*/config.pbtxt")} == before


@pytest.mark.server
def test_a_busy_machine_is_refused(repository, monkeypatch):
    busy = contextlib.nullcontext(Disturbance(others=0.1, stolen=0.1))
    monkeypatch.setattr(tune, "disturbance", lambda: busy)
    load = {"rounds": 1, "clients": 1, "seconds": 0.1, "force": False}
    args = argparse.Namespace(repository=repository, **load)
    with pytest.raises(BenchError, match=r"too busy to time: .*used 10%.*--force"):
        side_by_side(args, [blank()], [read_setting(repository)])

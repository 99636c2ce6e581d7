"""The limits of a repository, and who gets a place in the pipeline."""

from collections.abc import Callable
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppocr_client.errors import ServerBusy, error_of_http, error_of_status
from ppocr_converters.errors import RepositoryError
from ppocr_converters.repository import configuration
from ppocr_converters.repository.configuration import BETWEEN, limit_requests, read_configs
from ppocr_converters.repository.deployment_plan import ModelPlan, Plan, apply
from ppocr_converters.repository.source import source_repository
from ppocr_engine.config_pbtxt import read_config, write_config
from ppocr_engine.tensorrt_engines import Machine
from ppocr_steps.slots import LOST_SECONDS, PATIENCE_SECONDS, SLOTS, Slots

TICK = 1_000_000  # nanoseconds


@pytest.fixture
def folder(tmp_path) -> Path:
    """The project's own models, without weights: two instances of each step."""
    copytree(source_repository(), tmp_path / "r", ignore=ignore_patterns("__pycache__"))
    return tmp_path / "r"


def change(folder: Path, model: str, change: Callable[[Any], None]) -> None:
    path = folder / model / "config.pbtxt"
    config = read_config(path)
    change(config)
    write_config(path, config)


def limits(folder: Path) -> tuple[int, int, int]:
    """max_requests, max_in_progress and the queue before admit."""
    configs = read_configs(folder)
    limit_requests(configs)
    config = configs["admit"]
    names = ("max_requests", "max_in_progress")
    requests, places = (int(config.parameters[name].string_value) for name in names)
    return requests, places, config.dynamic_batching.default_queue_policy.max_queue_size


def test_limits_come_from_the_instances(folder):
    assert limits(folder) == (32, 8, 32 - 8 - BETWEEN)


def test_they_grow_with_the_instances_and_with_merged_pictures(folder):
    change(folder, "recognize", lambda config: setattr(config.instance_group[0], "count", 10))
    change(folder, "det", lambda config: config.dynamic_batching.SetInParent())
    assert limits(folder)[1] == 2 + 2 * 8 + 2 + 10


def test_a_network_without_a_list_of_gpus_runs_on_each_of_them(folder, monkeypatch):
    machine = Machine(gpus=("A", "B", "C"), compute_capabilities=("9.0",) * 3, tensorrt="")
    monkeypatch.setattr(configuration, "this_machine", lambda: machine)
    change(folder, "det", lambda config: setattr(config.instance_group[0], "kind", 1))
    assert limits(folder)[1] == 2 + 2 * 3 + 2 + 2
    change(folder, "det", lambda config: config.instance_group[0].gpus.extend([0, 2]))
    assert limits(folder)[1] == 2 + 2 * 2 + 2 + 2


def test_a_limit_can_be_given(folder):
    plan = Plan("a test", {}).with_parameter("admit", "max_requests", 100)
    change(folder, "admit", lambda config: apply(config, plan.models["admit"]))
    assert limits(folder) == (100, 8, 100 - 8 - BETWEEN)
    assert plan.with_parameter("admit", "max_requests", None) is plan


def test_a_low_limit_leaves_no_more_in_progress_than_it_says(folder):
    plan = Plan("a test", {}).with_parameter("admit", "max_requests", 3)
    change(folder, "admit", lambda config: apply(config, plan.models["admit"]))
    assert limits(folder) == (3, 3, 1)


@pytest.mark.parametrize("value", ["0", "-1", "many"])
def test_an_impossible_limit_is_refused(folder, value):
    plan = ModelPlan(parameters={"max_requests": value})
    change(folder, "admit", lambda config: apply(config, plan))
    with pytest.raises(RepositoryError, match=f"max_requests is '{value}'; allowed: whole numbers"):
        limits(folder)


def test_a_repository_without_the_step_stays_as_it_is(folder):
    configs = read_configs(folder)
    del configs["admit"]
    before = {name: str(config) for name, config in configs.items()}
    limit_requests(configs)
    assert {name: str(config) for name, config in configs.items()} == before


class Pipeline:
    """Slots, those who have left them, and a clock that goes on only while somebody waits."""

    def __init__(self, places: int) -> None:
        self.now, self.waited = TICK, 0
        self.left: list[int] = []
        self.leaving: list[int | None] = []
        self.slots = Slots(places, self, self.clock, self.sleep)

    def count(self) -> int:
        return len(self.left)

    def newest(self, slot: int) -> int:
        return max((one for one in self.left if one % SLOTS == slot), default=0)

    def clock(self) -> int:
        self.now += TICK
        return self.now

    def sleep(self, seconds: float) -> None:
        self.waited += 1
        self.now += round(seconds * 1e9)
        if self.leaving and (leaves := self.leaving.pop(0)) is not None:
            self.left.append(leaves)

    def enter(self, count: int = 1) -> list[int]:
        return [self.slots.enter() for _ in range(count)]


def test_nobody_waits_while_there_is_room():
    pipeline = Pipeline(3)
    assert len(set(pipeline.enter(3))) == 3
    assert pipeline.waited == 0


def test_the_next_one_waits_until_one_leaves():
    pipeline = Pipeline(2)
    first, _ = pipeline.enter(2)
    pipeline.leaving = [None, None, first]
    pipeline.enter()
    assert pipeline.waited == 3


def test_in_whatever_order_pictures_leave_every_slot_comes_back():
    pipeline = Pipeline(8)
    first, *others = pipeline.enter(8)
    pipeline.left = [*others, first]
    pipeline.enter(8)
    assert pipeline.waited == 0


def test_one_that_leaves_before_older_ones_makes_room_for_one_only():
    pipeline = Pipeline(4)
    *_, last = pipeline.enter(4)
    pipeline.left = [last]
    pipeline.enter()
    assert pipeline.waited == 0
    pipeline.enter()
    assert pipeline.waited > 0


def test_one_that_was_lost_is_forgotten_when_a_much_later_one_has_left():
    pipeline = Pipeline(3)
    _lost, second, third = pipeline.enter(3)
    pipeline.left = [second, third]
    for _ in range(3):  # they come within the time in which one may overtake another
        pipeline.left += pipeline.enter()
    assert len(pipeline.slots._inside) == 2
    pipeline.now += round(LOST_SECONDS * 1e9)
    pipeline.left += pipeline.enter(2)
    before = pipeline.waited
    pipeline.enter(3)
    assert pipeline.waited == before


def test_one_that_is_found_after_all_leaves_no_second_time():
    pipeline = Pipeline(2)
    lost, _ = pipeline.enter(2)
    (next_one,) = pipeline.enter()  # after a long wait the oldest is given up
    assert next_one % SLOTS == lost % SLOTS
    pipeline.left.append(lost)
    before = pipeline.waited
    pipeline.leaving = [None, next_one]
    pipeline.enter()
    assert pipeline.waited == before + 2


def test_where_all_are_lost_one_is_let_in_after_a_while():
    pipeline = Pipeline(2)
    pipeline.enter(2)
    begin = pipeline.now
    pipeline.enter()
    seconds = (pipeline.now - begin) / 1e9
    assert PATIENCE_SECONDS < seconds < PATIENCE_SECONDS + 1


@given(st.integers(1, 8), st.integers(1, 60), st.randoms())
def test_there_are_never_more_inside_than_places(places, arrivals, random):
    pipeline = Pipeline(places)
    inside: list[int] = []

    def one_leaves(seconds: float) -> None:
        pipeline.left.append(inside.pop(random.randrange(len(inside))))

    pipeline.slots._sleep = one_leaves
    for _ in range(arrivals):
        while inside and random.random() < 0.2:
            one_leaves(0)
        inside += pipeline.enter()
        assert len(inside) <= places


def test_a_full_queue_is_a_busy_server():
    reason = "in ensemble 'ocr', [request id: <id_unknown>] Exceeds maximum queue size"
    for error in (error_of_status("UNAVAILABLE", reason), error_of_http(503, reason)):
        assert isinstance(error, ServerBusy)
        assert "max_requests" in str(error)
        assert error.status == "UNAVAILABLE"

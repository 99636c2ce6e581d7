"""A run takes more threads where no other instance of the server runs a network."""

from pathlib import Path
from typing import Any

import pytest

from ppocr_engine.errors import EngineError
from ppocr_engine.session import Session
from ppocr_engine.spec import OPENVINO, EngineSpec
from ppocr_server.backends.common.lone_run import lone_spec, open_counted

ONE = EngineSpec(threads=1)


def config(threads: str) -> dict[str, dict[str, dict[str, str]]]:
    return {"parameters": {"lone_run_thread_count": {"string_value": threads}}}


@pytest.fixture(autouse=True)
def opened(monkeypatch) -> None:
    """Each session writes the threads of its runs into what it is fed, then runs what is inside."""

    def open_one(spec: EngineSpec, _: Path) -> Session:
        def run(feeds, wanted):
            feeds["ran"].append(spec.threads)
            for inside in feeds["inside"]:
                inside.run({"ran": feeds["ran"], "inside": []}, [])
            return {}

        return Session({}, {}, {}, run, (), str, "")

    monkeypatch.setattr(EngineSpec, "open", open_one)


def threads_of(run: Session, *inside: Session) -> list[int]:
    fed: Any = {"ran": [], "inside": inside}
    run.run(fed, [])
    return list(fed["ran"])


def test_only_a_lone_run_takes_more_threads(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    det, other_det = (open_counted(tmp_path, ONE, config("3")) for _ in range(2))
    rec = open_counted(tmp_path, ONE, {})
    assert threads_of(det) == threads_of(other_det) == [3]
    assert threads_of(rec) == [1]
    assert threads_of(rec, det, other_det) == [1, 1, 1]
    assert threads_of(det, rec, other_det) == [3, 1, 1]  # what begins meanwhile does not wait
    assert threads_of(det) == [3]


@pytest.mark.parametrize(
    ("spec", "threads"),
    [(ONE, "1"), (ONE, "0"), (EngineSpec(), "4"), (EngineSpec(threads=2), "2"), (OPENVINO, "4")],
)
def test_there_is_one_session_where_a_lone_run_gains_nothing(spec, threads):
    assert lone_spec(spec, config(threads)) is None
    assert lone_spec(spec, {}) is None


def test_a_number_of_threads_is_checked():
    with pytest.raises(EngineError, match="lone_run_thread_count; allowed: a number from 0"):
        lone_spec(ONE, config("all"))

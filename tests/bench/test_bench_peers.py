"""What the comparison of peers is made of; peers themselves are stood in for by functions here."""

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ppocr_bench.errors import BenchError
from ppocr_bench.load import closed_loop
from ppocr_bench.peers.children import RUNNERS, Child, children, read_line
from ppocr_bench.peers.environments import (
    PADDLE_SERVING,
    RAPIDOCR,
    ensure_environment,
    find_python,
)
from ppocr_bench.peers.peer import Peer, Running
from ppocr_bench.peers.rounds import Load, Rounds, Workload, reading
from ppocr_bench.peers.served import AS_SHIPPED, write_service
from ppocr_bench.verbs.peers import label_and_folder

BOX = [[0.0, 0.0], [90.0, 0.0], [90.0, 20.0], [0.0, 20.0]]
LOW = [[x, y + 40] for x, y in BOX]
WORKLOADS = [Workload(name, ["a.jpg", "b.jpg"], [Path("/x/a"), Path("/x/b")]) for name in "pq"]

# Stands in for a reader: what it "reads" is the file's name, and "bad" and "end" go wrong.
FAKE = f"""
import os, sys
sys.path.insert(0, {str(RUNNERS)!r})
import child
print("a greeting on standard output")
def read(path):
    if "end" in path:
        print("no memory left", file=sys.stderr)
        os._exit(3)
    if "bad" in path:
        raise ValueError("no picture")
    return [(os.path.basename(path), 0.5, {BOX})]
child.serve({{"fake": "1.0"}}, read)
"""


@pytest.fixture
def fake(tmp_path: Path) -> list[str | Path]:
    (tmp_path / "fake.py").write_text(FAKE)
    return [sys.executable, tmp_path / "fake.py"]


def test_a_child_reads_and_its_prints_do_no_harm(fake: list[str | Path]) -> None:
    with children(2, fake, pictures=[Path("/x/first.jpg")]) as (ask, pids, versions):
        assert versions == {"fake": "1.0"}
        assert len(set(pids)) == 2
        (line,) = ask(Path("/x/one.jpg"))
        assert (line.text, line.score, line.box.tolist()) == ("one.jpg", 0.5, BOX)
        with pytest.raises(BenchError, match="ValueError: no picture"):
            ask(Path("bad"))
        assert ask(Path("again"))[0].text == "again"


def test_nobody_is_served_before_those_who_came_first(fake: list[str | Path]) -> None:
    with children(1, fake) as (ask, _, _):
        run = closed_loop(lambda _: ask(Path("x")), 4, seconds=0.3)
    # With one process and four clients, each waits for the three others.
    taken = run.latencies()
    assert sum(taken) / len(taken) * run.per_second == pytest.approx(4, rel=0.3)


def test_a_child_that_ends_says_why(fake: list[str | Path]) -> None:
    child = Child(fake)
    try:
        child.versions()
        with pytest.raises(BenchError, match=r"fake.py ended with 3:\n(?s:.*)no memory left"):
            child.ask(Path("end"))
    finally:
        child.close()


def test_a_child_that_cannot_start_says_why(tmp_path: Path) -> None:
    with (
        pytest.raises(BenchError, match="No such file"),
        children(1, [sys.executable, tmp_path / "none.py"]),
    ):
        pass


def test_an_environment_without_its_python_is_refused(tmp_path: Path) -> None:
    old = PADDLE_SERVING._replace(pythons=("2.0",))
    with pytest.raises(BenchError, match=r"Paddle Serving needs Python 2\.0"):
        ensure_environment(old, tmp_path / "old")
    assert not (tmp_path / "old").exists()
    assert find_python(RAPIDOCR) == sys.executable


def peer(name: str, ask: Callable[[Path], str], *, ours: str | None = None) -> Peer:
    """A peer that reads one line of each picture."""

    @contextlib.contextmanager
    def start(_: object) -> Iterator[Running]:
        yield Running(lambda path: [read_line(ask(path), 1.0, BOX)], [os.getpid()], {})

    return Peer(name, "as it comes", start, ours=ours)


def take(peers: list[Peer]) -> Rounds:
    rounds = Rounds(WORKLOADS, Load([1, 2], rounds=2, seconds=0.001, warm_up=0.001))
    rounds.run(peers, argparse.Namespace())
    return rounds


def test_peers_take_turns_and_are_compared() -> None:
    rounds = take([peer("ours (x)", str, ours="x"), peer("other", str)])
    rows = rounds.rows()
    loads = [(row["peer"], row["clients"]) for row in rows]
    assert loads == 2 * [("ours (x)", 1), ("other", 1), ("ours (x)", 2), ("other", 2)]
    assert all(len(row["rounds"]) == 2 and row["memory_mib"] > 0 for row in rows)
    assert [(r["equal"], r["ours"], r["cer_percent"]) for r in rounds.readings()] == [(2, 2, 0)] * 4
    ours, other = (row["pictures_per_second"] for row in rows[:2])
    assert rows[1]["times_x"] == pytest.approx(ours / other)
    assert rows[0]["times_x"] == 1


def test_a_failing_peer_is_left_out_with_a_note() -> None:
    def fail(path: Path) -> str:
        raise BenchError("out of paper")

    rounds = take([peer("ours (x)", str, ours="x"), peer("other", fail)])
    assert rounds.notes == ["other is left out: out of paper"]
    assert {row["peer"] for row in rounds.rows()} == {"ours (x)"}
    with pytest.raises(BenchError, match="out of paper"):
        take([peer("ours (x)", fail, ours="x")])


def test_readings_are_held_beside_ours() -> None:
    first = read_line("一二三", 0.9, BOX)
    mine = [[first, read_line("four", 0.9, LOW)], [read_line("five", 0.9, BOX)]]
    theirs = [[first, read_line("fcur", 0.9, LOW)], []]
    found = reading(theirs, mine)
    assert (found["lines"], found["equal"], found["ours"]) == (2, 1, 3)
    assert found["cer_percent"] == pytest.approx(100 * (1 + 4) / 11)


def test_repositories_are_labelled() -> None:
    assert label_and_folder("fast=build/a") == ("fast", Path("build/a"))
    assert label_and_folder("build/a") == ("", Path("build/a"))


def test_the_old_service_is_written_as_it_wants_it(tmp_path: Path) -> None:
    model = {"det_model": tmp_path, "rec_model": tmp_path, "dictionary": tmp_path, "rec_height": 48}
    args = argparse.Namespace(**model)
    path = write_service(tmp_path, args, AS_SHIPPED, {"rpc": 1, "http": 2})
    ops = json.loads(path.read_text("utf-8"))["config"]["op"]
    assert {name: op["concurrency"] for name, op in ops.items()} == {"det": 6, "rec": 3}
    for op in ops.values():
        folder = Path(op["local_service_conf"]["model_config"])
        names = {file.name for file in folder.iterdir()}
        assert {"inference.pdmodel", "serving_server_conf.prototxt"} < names

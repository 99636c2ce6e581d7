"""What the comparison of peers is made of; peers themselves are stood in for by functions here."""

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ppocr_bench.errors import BenchError
from ppocr_bench.load import closed_loop
from ppocr_bench.peers import children as processes
from ppocr_bench.peers.children import Peer, Running, child, children, read_line
from ppocr_bench.peers.environments import REQUIREMENTS, ensure_environment
from ppocr_bench.peers.rounds import Rounds, reading
from ppocr_bench.peers.table import PEERS

BOX = [[0.0, 0.0], [90.0, 0.0], [90.0, 20.0], [0.0, 20.0]]
LOW = [[x, y + 40] for x, y in BOX]
FILES = [Path("/x/a"), Path("/x/b")]

# Stands in for a reader: what it "reads" is the file's name, and "bad" and "end" go wrong.
FAKE = f"""
import os, sys
print("a greeting on standard output")
PACKAGES = ("numpy",)
def make(settings):
    def read(path):
        if "end" in path:
            print(settings["said"], file=sys.stderr)
            os._exit(3)
        if "bad" in path:
            raise ValueError("no picture")
        return [(os.path.basename(path), 0.5, {BOX})]
    return read
"""
SETTINGS = {"said": "no memory left"}


@pytest.fixture(autouse=True)
def readers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real `child.py` beside the reader above."""
    (tmp_path / "child.py").write_bytes(processes.CHILD.read_bytes())
    (tmp_path / "read_fake.py").write_text(FAKE)
    monkeypatch.setattr(processes, "CHILD", tmp_path / "child.py")


def test_a_child_reads_and_its_prints_do_no_harm() -> None:
    first = [Path("/x/first.jpg")]
    with children(2, sys.executable, "fake", SETTINGS, pictures=first) as (ask, pids, versions):
        assert versions["numpy"][0].isdigit()
        assert len(set(pids)) == 2
        (line,) = ask(Path("/x/one.jpg"))
        assert (line.text, line.score, line.box.tolist()) == ("one.jpg", 0.5, BOX)
        with pytest.raises(BenchError, match="ValueError: no picture"):
            ask(Path("bad"))
        assert ask(Path("again"))[0].text == "again"


def test_nobody_is_served_before_those_who_came_first() -> None:
    with children(1, sys.executable, "fake", SETTINGS) as (ask, _, _):
        run = closed_loop(lambda _: ask(Path("x")), 4, seconds=0.3)
    # With one process and four clients, each waits for the three others.
    taken = run.latencies()
    assert sum(taken) / len(taken) * run.per_second == pytest.approx(4, rel=0.3)


def test_a_child_that_ends_says_why() -> None:
    said = r"reader fake ended with 3:\n(?s:.*)no memory left"
    with pytest.raises(BenchError, match=said), child(sys.executable, "fake", SETTINGS) as running:
        running.ask(Path("end"))
    with pytest.raises(BenchError, match="No module"), child(sys.executable, "none", {}):
        pass


def test_every_peer_has_a_reader_and_its_environment(tmp_path: Path) -> None:
    folder = Path(processes.__file__).parent / "readers"
    for _, _, reader, _, _ in (row for rows in PEERS.values() for row in rows):
        assert (folder / f"read_{reader}.py").is_file()
        assert (REQUIREMENTS / f"{reader}.txt").is_file() or reader == "networks"
    assert ensure_environment("networks", tmp_path / "none") == Path(sys.executable)
    assert not (tmp_path / "none").exists()


def peer(name: str, ask: Callable[[Path], str], *, ours: str | None = None) -> Peer:
    """A peer that reads one line of each picture."""

    @contextlib.contextmanager
    def start() -> Iterator[Running]:
        yield Running(lambda path: [read_line(ask(path), 1.0, BOX)], [os.getpid()], {})

    return Peer(name, "as it comes", start, ours=ours)


def take(peers: list[Peer]) -> Rounds:
    load = argparse.Namespace(clients=[1, 2], rounds=2, seconds=0.001)
    rounds = Rounds(FILES, load)
    rounds.run(peers)
    return rounds


def test_peers_take_turns_and_are_compared() -> None:
    rounds = take([peer("ours (x)", str, ours="x"), peer("other", str)])
    rows = rounds.rows()
    loads = [(row["peer"], row["clients"]) for row in rows]
    assert loads == [("ours (x)", 1), ("other", 1), ("ours (x)", 2), ("other", 2)]
    assert all(len(row["rounds"]) == 2 and row["memory_mib"] > 0 for row in rows)
    assert [(r["equal"], r["ours"], r["cer_percent"]) for r in rounds.readings()] == [(2, 2, 0)] * 2
    for mine, other in zip(rows[::2], rows[1::2], strict=True):
        ratio = mine["pictures_per_second"] / other["pictures_per_second"]
        assert other["times_x"] == pytest.approx(ratio)
        assert mine["times_x"] == 1


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

"""What the comparison of peers is made of; peers themselves are stood in for by functions here."""

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import numpy as np
import pytest

from ppocr_bench.load import closed_loop
from ppocr_bench.peers import children as processes
from ppocr_bench.peers.children import (
    REQUIREMENTS,
    Peer,
    Running,
    child,
    children,
    ensure_environment,
    read_line,
)
from ppocr_bench.peers.rounds import Rounds, ratio
from ppocr_bench.peers.table import PEERS, weights_of
from ppocr_bench.pictures import Picture
from ppocr_bench.record import BenchError
from ppocr_converters.pictures.render_canvas import Truth

BOX = [[0.0, 0.0], [90.0, 0.0], [90.0, 20.0], [0.0, 20.0]]
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
def readers(tmp_path, monkeypatch) -> None:
    """The real `child.py` beside the reader above."""
    (tmp_path / "child.py").write_bytes(processes.CHILD.read_bytes())
    (tmp_path / "read_fake.py").write_text(FAKE)
    monkeypatch.setattr(processes, "CHILD", tmp_path / "child.py")


def test_a_child_reads_and_its_prints_do_no_harm():
    with children(2, sys.executable, "fake", SETTINGS) as (ask, pids, versions):
        assert versions["numpy"][0].isdigit()
        assert len(set(pids)) == 2
        (line,) = ask(Path("/x/one.jpg"))
        assert (line.text, line.score, line.box.tolist()) == ("one.jpg", 0.5, BOX)
        with pytest.raises(BenchError, match="ValueError: no picture"):
            ask(Path("bad"))
        assert ask(Path("again"))[0].text == "again"


def test_nobody_is_served_before_those_who_came_first():
    with children(1, sys.executable, "fake", SETTINGS) as (ask, _, _):
        run = closed_loop(lambda _: ask(Path("x")), 4, seconds=0.3)
    # With one process and four clients, each waits for the three others.
    taken = run.latencies()
    assert sum(taken) / len(taken) * run.per_second == pytest.approx(4, rel=0.3)


def test_a_child_that_ends_says_why():
    said = r"reader fake ended with 3:\n(?s:.*)no memory left"
    with pytest.raises(BenchError, match=said), child(sys.executable, "fake", SETTINGS) as running:
        running.ask(Path("end"))
    with pytest.raises(BenchError, match="No module"), child(sys.executable, "none", {}):
        pass


def test_every_peer_has_a_reader_and_its_environment(tmp_path):
    folder = Path(processes.__file__).parent / "readers"
    for row in PEERS.values():
        assert (folder / f"read_{row.reader}.py").is_file()
        assert (REQUIREMENTS / f"{row.environment}.txt").is_file() or row.reader == "networks"
    assert ensure_environment("networks", tmp_path / "none") == Path(sys.executable)
    assert not (tmp_path / "none").exists()


def test_weights_are_those_from_which_the_repository_was_built(tmp_path):
    with pytest.raises(BenchError, match="no repository that `build` wrote"):
        weights_of(tmp_path, tmp_path)
    names = {"det": {"name": "PP-OCRv6_tiny_det"}, "rec": {"name": "PP-OCRv6_tiny_rec"}}
    (tmp_path / "manifest.json").write_text(json.dumps({"models": names}))
    with pytest.raises(BenchError, match="--onnx"):
        weights_of(tmp_path, tmp_path)
    for model in names.values():
        (tmp_path / model["name"]).mkdir()
        (tmp_path / model["name"] / "converted.onnx").touch()
    assert weights_of(tmp_path, tmp_path)["size"] == "tiny"


def peer(
    name: str, ask: Callable[[Path], str], *, ours: str | None = None, alone: bool | None = None
) -> Peer:
    """A peer that reads one line of each picture."""

    @contextlib.contextmanager
    def start() -> Iterator[Running]:
        yield Running(lambda path: [read_line(ask(path), 1.0, BOX)], [os.getpid()], {})

    return Peer(name, "as it comes", start, ours=ours, alone=alone)


def take(peers: list[Peer], kept: Path | None = None, rounds: int = 2) -> Rounds:
    truth = (Truth("/x/a", np.array(BOX, np.float32)),)
    found = Rounds({path: Picture(path.name, b"", truth) for path in FILES}, 0.001, kept)
    found.run(peers, [1, 2], rounds)
    return found


def test_peers_take_turns_and_are_compared():
    others = [peer("other", str, alone=True), peer("other", str, alone=False)]
    rows = take([peer("ours (x)", str, ours="x"), *others]).rows()
    loads = [(row["peer"], row["clients"]) for row in rows]
    assert loads == [("ours (x)", 1), ("other", 1), ("ours (x)", 2), ("other", 2)]
    for row in rows:
        assert len(row["rounds"]) == 2
        assert min(row["peak_memory_mib"], row["first_answer_s"], row["cpu_seconds"]) > 0
        assert (row["end_to_end_percent"], row["exact_percent"]) == (50, 50)
    for mine, theirs in zip(rows[::2], rows[1::2], strict=True):
        pairs = zip(mine["rounds"], theirs["rounds"], strict=True)
        assert mine["times"] == mine["cpu_times"] == 1
        assert theirs["times"] == pytest.approx(median(a / b for a, b in pairs))


def test_a_ratio_is_that_of_the_median_round():
    ours, theirs = ([{"cpu": value} for value in values] for values in ((2, 8, 3), (1, 2, 2)))
    assert ratio(ours, theirs, "cpu") == 2  # of 2, 4 and 1.5
    assert ratio(ours, theirs[:1], "cpu") == 2  # rounds that both have had
    assert ratio(ours, [{"cpu": 0}], "cpu") is None


def test_a_run_goes_on_from_the_turns_that_were_kept(tmp_path):
    kept = tmp_path / "turns.jsonl"
    peers = [peer("ours (x)", str, ours="x")]
    take(peers, kept, rounds=1)
    assert len(kept.read_text().splitlines()) == 2
    assert [len(row["rounds"]) for row in take(peers, kept, rounds=2).rows()] == [2, 2]
    assert len(kept.read_text().splitlines()) == 4
    take(peers, kept, rounds=2)
    assert len(kept.read_text().splitlines()) == 4
    kept.write_text("[]")
    with pytest.raises(BenchError, match="was not written by --resume"):
        take(peers, kept)


def test_a_failing_peer_is_left_out_with_a_note():
    def fail(path: Path) -> str:
        raise BenchError("out of paper")

    rounds = take([peer("ours (x)", str, ours="x"), peer("other", fail)])
    assert rounds.notes == ["other is left out: out of paper"]
    assert {row["peer"] for row in rounds.rows()} == {"ours (x)"}
    with pytest.raises(BenchError, match="out of paper"):
        take([peer("ours (x)", fail, ours="x")])

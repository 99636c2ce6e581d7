"""What the comparison of peers is made of; peers themselves are stood in for by functions here."""

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ppocr_bench.children import RUNNERS, Child, Children, children
from ppocr_bench.environments import Environment, ensure_environment, find_python
from ppocr_bench.errors import BenchError
from ppocr_bench.peers.load import keep_busy
from ppocr_bench.peers.peer import Line, Materials, Peer, Running
from ppocr_bench.peers.result import Peers, Row, percentile
from ppocr_bench.peers.served import AS_SHIPPED, write_service
from ppocr_bench.peers.turns import Load, Turns, Workload, reading
from ppocr_bench.peers.verb import label_and_folder

BOX = [[0.0, 0.0], [90.0, 0.0], [90.0, 20.0], [0.0, 20.0]]
LOW = [[x, y + 40] for x, y in BOX]
WORKLOAD = Workload("photos", ["a.jpg", "b.jpg"], range(2))

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


def test_pictures_are_read_in_turn_and_all_equally_often() -> None:
    asked: list[int] = []
    measured = keep_busy(asked.append, pictures=3, clients=1, seconds=0.001)
    assert asked == [0, 1, 2] * (len(asked) // 3)
    assert len({len(taken) for taken in measured.latencies}) == 1
    assert measured.per_second * measured.seconds == pytest.approx(len(asked))


def test_so_many_clients_ask_at_the_same_time() -> None:
    lock, now, most = threading.Lock(), 0, 0

    def ask(number: int) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.05)
        with lock:
            now -= 1

    measured = keep_busy(ask, pictures=2, clients=4, seconds=0.1)
    assert most == 4
    assert sum(map(len, measured.latencies)) % 2 == 0
    assert all(measured.latencies)


def test_the_lead_in_is_not_counted() -> None:
    lock, asked = threading.Lock(), 0

    def slow_at_first(number: int) -> None:
        nonlocal asked
        with lock:
            asked += 1
            first = asked <= 2
        time.sleep(0.5 if first else 0.002)

    measured = keep_busy(slow_at_first, pictures=2, clients=2, seconds=0.02)
    assert max(time for taken in measured.latencies for time in taken) < 0.5


@pytest.mark.parametrize("clients", [1, 3])
def test_a_failure_ends_the_load(clients: int) -> None:
    def fail(number: int) -> None:
        raise BenchError("gone")

    with pytest.raises(BenchError, match="gone"):
        keep_busy(fail, pictures=2, clients=clients, seconds=60)


def test_a_child_reads_and_its_prints_do_no_harm(fake: list[str | Path]) -> None:
    with children(2, fake) as (pool, versions):
        assert versions == {"fake": "1.0"}
        assert len(set(pool.pids)) == 2
        (line,) = pool.ask("/x/one.jpg")
        assert (line.text, line.score, line.box) == ("one.jpg", 0.5, BOX)
        pool.ask_all("/x/two.jpg")
        with pytest.raises(BenchError, match="ValueError: no picture"):
            pool.ask("bad")
        assert pool.ask("again")[0].text == "again"


def test_nobody_is_served_before_those_who_came_first(fake: list[str | Path]) -> None:
    with children(1, fake) as (pool, _):
        keep_busy(lambda _: pool.ask("x"), pictures=1, clients=4, seconds=0.3)
        measured = keep_busy(lambda _: pool.ask("x"), pictures=1, clients=4, seconds=0.3)
    # With one process and four clients, each waits for the three others.
    mean = sum(measured.latencies[0]) / len(measured.latencies[0])
    assert mean * measured.per_second == pytest.approx(4, rel=0.3)


def test_a_child_that_ends_says_why(fake: list[str | Path]) -> None:
    child = Child(fake)
    try:
        child.wait()
        with pytest.raises(BenchError, match=r"fake.py ended with 3:\n(?s:.*)no memory left"):
            Children([child]).ask("end")
    finally:
        child.close()


def test_a_child_that_cannot_start_says_why(tmp_path: Path) -> None:
    with (
        pytest.raises(BenchError, match="No such file"),
        children(1, [sys.executable, tmp_path / "none.py"]),
    ):
        pass


def test_an_environment_without_its_python_is_refused(tmp_path: Path) -> None:
    old = Environment("Old", "old", "nothing==1", pythons=("2.0",))
    with pytest.raises(BenchError, match=r"Old needs Python 2\.0"):
        ensure_environment(old, tmp_path / "old")
    assert not (tmp_path / "old").exists()
    assert find_python(Environment("New", "new", "nothing==1")) == sys.executable


def peer(name: str, ask: Callable[[int], object], *, ours: str | None = None) -> Peer:
    """A peer that reads one line of each picture, its number."""

    @contextlib.contextmanager
    def start(materials: Materials) -> Iterator[Running]:
        yield Running(ask, lambda answer: [Line(str(answer), BOX)], [os.getpid()], {})

    return Peer(name, "as it comes", start, ours=ours)


def take(peers: list[Peer], materials: Materials) -> Turns:
    turns = Turns(peers, [WORKLOAD], Load([1, 2], rounds=2, seconds=0.001, warm_up=0.001))
    turns.take(materials)
    return turns


@pytest.fixture
def materials(tmp_path: Path) -> Materials:
    files = [tmp_path / name for name in WORKLOAD.pictures]
    model, onnx = tmp_path / "model", tmp_path / "converted.onnx"
    dictionary, folders = tmp_path / "dictionary.txt", (tmp_path, tmp_path)
    return Materials(files, model, model, onnx, onnx, dictionary, 48, *folders, 2)


def test_peers_take_turns_and_are_compared(materials: Materials) -> None:
    turns = take([peer("ours (x)", lambda n: n, ours="x"), peer("other", lambda n: n)], materials)
    result = turns.result({}, {"x": "onnxruntime"}, 1.0)
    loads = [(row.peer, row.clients) for row in result.rows]
    assert loads == [("ours (x)", 1), ("other", 1), ("ours (x)", 2), ("other", 2)]
    assert all(len(row.rounds) == 2 and row.pss_mib > 0 for row in result.rows)
    assert [(r.equal, r.ours, r.cer) for r in result.readings] == [(2, 2, 0.0)] * 2
    row = json.loads(json.dumps(result.to_dict()))["rows"][1]
    ours = result.rows[0].pictures_per_second
    assert row["ratio"]["x"] == pytest.approx(ours / row["pictures_per_second"])


def test_a_failing_peer_is_left_out_with_a_note(materials: Materials) -> None:
    def fail(number: int) -> None:
        raise BenchError("out of paper")

    turns = take([peer("ours (x)", lambda n: n, ours="x"), peer("other", fail)], materials)
    assert turns.notes == ["other is left out: out of paper"]
    assert {row.peer for row in turns.result({}, {}, 1.0).rows} == {"ours (x)"}
    with pytest.raises(BenchError, match="out of paper"):
        take([peer("ours (x)", fail, ours="x")], materials)


def test_readings_are_held_beside_ours() -> None:
    mine = [[Line("一二三", BOX), Line("four", LOW)], [Line("five", BOX)]]
    theirs = [[Line("一二三", BOX), Line("fcur", LOW)], []]
    found = reading("photos", "other", theirs, mine)
    assert (found.lines, found.equal, found.ours) == (2, 1, 3)
    assert found.cer == pytest.approx((1 + 4) / 11)


def row(name: str, clients: int, rounds: list[float], times: list[float], pss: float) -> Row:
    return Row("photos", name, clients, rounds, [times, [2 * time for time in times]], pss)


def test_targets_are_judged_by_medians_of_rounds() -> None:
    rows = [
        row("ours (x)", 1, [4.0], [0.2, 0.2, 0.5], 700),
        row("bound (x)", 1, [4.5], [0.19], 300),
        row("RapidOCR, all threads", 1, [3.0], [0.3], 300),
        row("ours (x)", 8, [5.0, 6.0, 9.0], [1.0], 1300),
        row("bound (x)", 8, [6.0, 8.0, 8.0], [1.0], 300),
        row("Paddle Serving, tuned", 8, [3.0, 2.0, 1.0], [1.0], 300),
    ]
    result = Peers({}, {"x": "openvino"}, {}, {}, {"photos": []}, rows, [], [], 1.0)
    judged = {found.text: (found.value, found.met) for found in result.found}
    assert judged == {
        "x: pictures/s over bound (x), 8 clients": (0.75, False),
        "x: pictures/s over Paddle Serving, tuned, 8 clients": (3.0, True),
        "x: latency over RapidOCR, all threads, 1 client": (pytest.approx(2 / 3), True),
        "x: share of the time that is not inference, 1 client": (pytest.approx(0.05), True),
        "x: p99 over p50, 1 client": (pytest.approx(2.47), False),
        "x: memory (PSS MiB), 8 clients": (1300, False),
    }


def test_percentiles() -> None:
    assert percentile([3.0], 99) == 3.0
    assert percentile([1.0, 2.0, 3.0], 50) == 2.0


def test_repositories_are_labelled() -> None:
    assert label_and_folder("fast=build/a") == ("fast", Path("build/a"))
    assert label_and_folder("build/a") == ("", Path("build/a"))


def test_the_old_service_is_written_as_it_wants_it(tmp_path: Path, materials: Materials) -> None:
    path = write_service(tmp_path, materials, AS_SHIPPED, {"rpc": 1, "http": 2})
    ops = json.loads(path.read_text("utf-8"))["config"]["op"]
    assert {name: op["concurrency"] for name, op in ops.items()} == {"det": 6, "rec": 3}
    for op in ops.values():
        folder = Path(op["local_service_conf"]["model_config"])
        names = {file.name for file in folder.iterdir()}
        assert {"inference.pdmodel", "serving_server_conf.prototxt"} < names

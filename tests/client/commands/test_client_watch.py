"""`ppocr-client watch`: files that arrive slowly, at once, broken, again, and without a server."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from client.samples import PROGRAM, TEXTS, heed_interrupts
from paths import SIGN
from serving import eventually

from ppocr_client.cli import main
from ppocr_client.commands.watch import Arrivals
from ppocr_client.documents.inputs import Document
from ppocr_server.tritonserver.server import TritonServer

SETTLE = 0.6
A, B = Document("in/a.jpg", "a.jpg"), Document("in/b.jpg", "b.jpg")


def test_a_file_is_ready_when_it_has_been_the_same_for_a_while():
    arrivals, first, second = Arrivals(1, lambda _: False), (10, 1, 7), (20, 2, 7)
    arrivals.update({A: first}, now=0)
    assert arrivals.waiting == {A: first}
    assert not arrivals.complete(0.9)
    arrivals.update({A: second}, now=1)
    assert not arrivals.complete(1.9)
    assert arrivals.complete(2) == {A: second}
    arrivals.finish(A, second, None)
    assert (arrivals.waiting, arrivals.failures, arrivals.read) == ({}, {}, 1)


def test_what_failed_is_left_alone_until_it_changes_and_forgotten_when_it_goes():
    first, second = (10, 1, 7), (10, 1, 8)
    arrivals = Arrivals(1, lambda document: document == B)
    arrivals.update({A: first, B: first}, now=0)
    assert arrivals.complete(1) == {A: first}
    arrivals.finish(A, first, "damaged")
    arrivals.update({A: first, B: second}, now=5)
    assert arrivals.failures == {A: "damaged"}
    # Another file under the same name is read even if it is older than what was written.
    assert arrivals.waiting == {B: second}
    arrivals.update({A: second, B: second}, now=6)
    assert (set(arrivals.waiting), arrivals.failures) == ({A, B}, {})
    arrivals.update({}, now=7)
    arrivals.update({A: first}, now=8)  # it is another one
    assert (arrivals.waiting, arrivals.failures) == ({A: first}, {})


class Watch:
    """A running `watch`, its output gathered in files."""

    def __init__(self, folder: Path, out: Path, url: str, log: Path) -> None:
        self.out, self._log = out, log
        words = ["watch", str(folder), "--out", str(out), "--format", "json", "--url", url]
        with log.open("w") as file:
            self.process = subprocess.Popen(
                [PROGRAM, *words, "--recursive", "--settle", str(SETTLE)],
                stdout=file,
                stderr=subprocess.STDOUT,
                preexec_fn=heed_interrupts,
            )

    @property
    def said(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def texts(self, name: str) -> list[str]:
        read = json.loads((self.out / f"{name}.json").read_text(encoding="utf-8"))
        return [line["text"] for line in read["lines"]]

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)


@pytest.fixture
def start(tmp_path) -> Iterator[Callable[[str], Watch]]:
    """Start `watch` of tmp_path/in at an address."""
    (tmp_path / "in" / "deep").mkdir(parents=True)
    with contextlib.ExitStack() as stack:

        def started(url: str) -> Watch:
            watch = Watch(tmp_path / "in", tmp_path / "out", url, tmp_path / "log.txt")
            stack.callback(watch.process.wait)
            stack.callback(watch.process.kill)
            return watch

        yield started


ENDED = """
import signal, sys
from ppocr_client.cli import main
from ppocr_client.commands import watch

def once(*_, **__):
    signal.raise_signal(signal.SIGINT)
    watch.folder_documents = None  # is not called again
    return []

watch.folder_documents = once
before = signal.getsignal(signal.SIGINT)
status = main(["watch", sys.argv[1], "--out", sys.argv[2], "--url", "grpc://127.0.0.1:1"])
print(status, signal.getsignal(signal.SIGINT) is before)
"""


def test_ctrl_c_ends_it_in_order(tmp_path):
    command = [sys.executable, "-c", ENDED, str(tmp_path), str(tmp_path / "out")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (0, "0 True\n"), ended.stderr


def soon(condition: Callable[[], bool], watch: Watch) -> None:
    def met() -> bool:
        assert watch.process.poll() is None, watch.said
        return condition()

    assert eventually(met, 120)


@pytest.mark.server
def test_slow_renamed_and_bad_files_and_a_restart(server, start, tmp_path):
    folder, out, picture = tmp_path / "in", tmp_path / "out", SIGN.read_bytes()
    (folder / "there.jpg").write_bytes(picture)
    (folder / "bad.jpg").write_bytes(b"no picture")
    watch = start(server.grpc_url)
    soon((out / "there.jpg.json").exists, watch)
    soon(lambda: "bad.jpg: " in watch.said, watch)
    with (folder / "slow.jpg").open("wb") as file:
        for at in range(0, len(picture), len(picture) // 8):
            file.write(picture[at : at + len(picture) // 8])
            file.flush()
            time.sleep(SETTLE / 6)  # all of it takes longer than SETTLE
            assert not (out / "slow.jpg.json").exists()
    (tmp_path / "moved").write_bytes(picture)
    (tmp_path / "moved").rename(folder / "deep" / "moved.jpg")
    soon((out / "slow.jpg.json").exists, watch)
    soon((out / "deep" / "moved.jpg.json").exists, watch)
    assert watch.texts("slow.jpg") == watch.texts("deep/moved.jpg") == TEXTS
    assert watch.end() == 1
    assert "3 read, 1 failed, 0 not read yet" in watch.said
    assert watch.said.count("slow.jpg.json") == 1
    assert "slow.jpg: " not in watch.said  # it was never tried half-written
    assert watch.said.count("bad.jpg: ") == 2  # when it failed, and at the end

    times = {path: path.stat().st_mtime_ns for path in out.rglob("*.json")}
    assert len(times) == 3
    (folder / "later.jpg").write_bytes(picture)
    again = start(server.grpc_url)
    soon((out / "later.jpg.json").exists, again)
    (folder / "bad.jpg").write_bytes(picture)  # now it is well
    soon((out / "bad.jpg.json").exists, again)
    assert again.end() == 0
    assert "2 read, 0 failed, 0 not read yet" in again.said
    assert {path: path.stat().st_mtime_ns for path in times} == times


@pytest.mark.server
def test_a_server_that_comes_late_and_goes_in_the_middle(repository, start, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    (folder / "first.jpg").write_bytes(SIGN.read_bytes())
    watch = start(f"grpc://127.0.0.1:{port}")
    soon(lambda: "is away or busy" in watch.said, watch)
    with TritonServer(repository, grpc_port=port, grace=0):
        soon((out / "first.jpg.json").exists, watch)
        for number in range(40):
            (folder / f"{number:02}.jpg").write_bytes(SIGN.read_bytes())
        soon((out / "03.jpg.json").exists, watch)
    soon(lambda: watch.said.count("is away or busy") == 2, watch)
    read = len(list(out.iterdir()))
    assert 5 <= read < 41
    assert watch.end() == 1
    assert f"{read} read, 0 failed, {41 - read} not read yet" in watch.said


@pytest.mark.server
def test_once_reads_what_is_there_and_ends(server, tmp_path, capsys):
    folder, out, drawn = tmp_path / "in", tmp_path / "out", tmp_path / "drawn"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(SIGN.read_bytes())
    order = ["watch", str(folder), "--out", str(out), "--draw", str(drawn), "--format", "text"]
    order += ["--once", "--settle", "0.1", "--url", server.grpc_url]
    assert main(order) == 0
    assert (out / "a.jpg.txt").read_text(encoding="utf-8").splitlines() == TEXTS
    assert [path.name for path in drawn.iterdir()] == ["a.jpg.png"]
    said, err = capsys.readouterr()
    assert said == f"{out / 'a.jpg.txt'}\n"
    assert "1 read, 0 failed, 0 not read yet" in err
    assert main(order) == 0
    assert capsys.readouterr().out == ""

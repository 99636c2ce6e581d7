"""Documents into rows, through servers that come and go."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from client.samples import BLANK, SQUEEZED, STRIP, TEXTS, pdf_with_a_huge_page
from paths import SIGN
from PIL import Image

from ppocr_client.batch.endpoints import Endpoints, Job, Stopped
from ppocr_client.batch.files import check_output, find_files, names_in
from ppocr_client.batch.parts import Row, scan_output, split_parts, write_rows
from ppocr_client.batch.reader import PartReader
from ppocr_client.cli import main
from ppocr_client.commands.batch import LISTED
from ppocr_client.documents.inputs import InputError
from ppocr_client.errors import ImageError, ModelNotFound

pq = pytest.importorskip("pyarrow.parquet")

NOBODY = "grpc://127.0.0.1:1"


@pytest.fixture
def archive(tmp_path) -> Path:
    """One document of each kind, good and bad."""
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.jpg").write_bytes(SIGN.read_bytes())
    (folder / "b.bmp").write_bytes(BLANK[:50])
    (folder / "c.png").write_bytes(b"")
    page = Image.open(SIGN).resize((310, 450))
    page.save(folder / "d.pdf", save_all=True, append_images=[page], resolution=100)
    Image.new("L", (60, 40), 255).save(
        folder / "deep" / "e.tif", save_all=True, append_images=[Image.new("L", (70, 40), 255)]
    )
    (folder / "notes.md").write_text("no picture")
    return folder


def read_part(job: Job, paths: list[str], out: Path):
    """Why each document of one part failed, and how the documents were counted."""
    counted: list[bool] = []
    with PartReader(job, counted.append) as reader:
        (rows,) = reader.read(split_parts(paths, 100, str(out), job.form, 7))
    assert [row.path for row in rows] == paths
    return [row.error for row in rows], counted


@pytest.mark.server
@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_every_document_has_one_row_in_its_place(server, archive, tmp_path, form):
    paths = [*find_files([str(archive)], {}), str(archive / "missing.jpg")]
    job = Job((server.grpc_url, f"http://{server.http_url}"), concurrency=2, form=form, dpi=100)
    reasons, counted = read_part(job, paths, tmp_path / "out")
    assert [bool(reason) for reason in reasons] == [False, True, True, False, False, True]
    assert sorted(counted) == [False] * 3 + [True] * 3
    assert "damaged or truncated" in reasons[1]
    assert reasons[2].endswith("is empty")
    assert "No such file" in reasons[5]
    assert scan_output(str(tmp_path / "out"), form, {}) == (
        list(zip(paths, reasons, strict=True)),
        8,
    )
    if form == "parquet":
        rows = pq.read_table(tmp_path / "out" / "part-000007.parquet").to_pylist()
        assert rows[0]["text"].splitlines() == TEXTS
        assert (rows[0]["pages"][0]["width"], rows[0]["pages"][0]["height"]) == (620, 900)
        line = rows[0]["pages"][0]["lines"][0]
        assert line["text"] == TEXTS[0]
        assert 0.9 < line["score"] <= 1
        assert np.shape(line["box"]) == (4, 2)
        assert rows[3]["text"].count("\f") == 1
        assert [page["page"] for page in rows[3]["pages"]] == [1, 2]
        assert [page["width"] for page in rows[4]["pages"]] == [60, 70]
        assert [row["status"] for row in rows] == ["ok", "failed", "failed", "ok", "ok", "failed"]
        assert {row["model_version"] for row in rows} == {"1", None}


@pytest.mark.server
def test_a_page_that_fails_is_named_and_the_others_kept(server, archive, tmp_path):
    job = Job((server.grpc_url,), ranges=[(3, None)])
    ((reason,), _) = read_part(job, [str(archive / "d.pdf")], tmp_path)
    assert reason.startswith("it has 2 pages, none of those asked for; choose")
    job = Job((server.grpc_url,), dpi=100)
    source = pdf_with_a_huge_page(archive / "two.pdf")
    ((reason,), _) = read_part(job, [str(source)], tmp_path)
    assert reason.startswith("page 2: page 2 has ")
    (row,) = pq.read_table(tmp_path / "part-000007.parquet").to_pylist()
    assert (row["status"], row["text"].splitlines()) == ("failed", TEXTS)
    assert [(page["page"], page["warnings"]) for page in row["pages"]] == [(1, None)]


@pytest.mark.server
def test_a_row_holds_the_warnings(server, archive, tmp_path):
    (archive / "strip.bmp").write_bytes(STRIP)
    read_part(Job((server.grpc_url,)), [str(archive / "strip.bmp")], tmp_path)
    (row,) = pq.read_table(tmp_path / "part-000007.parquet").to_pylist()
    assert row["pages"][0]["warnings"][0].startswith(SQUEEZED)


def endpoints_of(*urls: str, **settings) -> Endpoints:
    return Endpoints(Job(urls, **{"concurrency": 1, "patience": 30.0, **settings}))


def read_all(servers: Endpoints, pictures: list[bytes]) -> list:
    """What each picture gives, read at the same time: a result and a version, or an error."""
    servers.start()
    try:
        with ThreadPoolExecutor(len(pictures)) as pool:
            reads = [pool.submit(servers.read, picture) for picture in pictures]
        return [read.exception() or read.result() for read in reads]
    finally:
        servers.close()


@pytest.mark.server
def test_requests_to_a_server_that_is_away_go_to_another(server):
    servers = endpoints_of(NOBODY, server.grpc_url)
    answers = read_all(servers, [SIGN.read_bytes(), BLANK, b"no picture"])
    result, version = answers[0]
    assert [line.text for line in result.lines] == TEXTS
    assert version == "1"
    assert answers[1][0].lines == ()
    assert isinstance(answers[2], ImageError)


def test_without_any_server_it_ends_after_some_patience():
    start = time.monotonic()
    answers = read_all(endpoints_of(NOBODY, patience=0.7), [BLANK, BLANK])
    assert time.monotonic() - start < 20
    assert all(isinstance(answer, Stopped) for answer in answers)
    assert "no server was ready for 0.7 s: cannot connect to grpc://127.0.0.1:1" in str(answers[0])


@pytest.mark.server
def test_a_server_without_the_model_is_none(server):
    servers = endpoints_of(server.grpc_url, model="orc", patience=0.5, retries=1)
    (answer,) = read_all(servers, [BLANK])
    assert isinstance(answer, Stopped | ModelNotFound)
    assert "orc" in str(answer)


def test_a_part_without_a_server_is_not_written(archive, tmp_path):
    job = Job((NOBODY,), patience=0.3)
    with pytest.raises(Stopped, match="no server was ready"):
        read_part(job, [str(archive / "a.jpg")], tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_an_unfinished_part_never_counts(tmp_path, form):
    written = write_rows([Row("/a.jpg", "ok", None, "", [], None, 0.5)], form)
    (tmp_path / f"part-000002.{form}").write_bytes(written)
    (tmp_path / f".part-000003.{form}.part").write_bytes(written[:10])
    assert scan_output(str(tmp_path), form, {}) == ([("/a.jpg", None)], 3)
    (tmp_path / f"part-000004.{form}").write_bytes(written[:10])
    with pytest.raises(InputError, match="is not a part of an archive"):
        scan_output(str(tmp_path), form, {})


def test_inputs_are_named_one_way(archive, tmp_path, monkeypatch):
    monkeypatch.chdir(archive)
    names = [f"{archive}/{name}" for name in ("a.jpg", "b.bmp", "c.png", "d.pdf", "deep/e.tif")]
    assert find_files(["."], {}) == find_files([f"file://{archive}"], {}) == names
    assert find_files(["*.jpg", "a.jpg", "x.jpg"], {}) == [names[0], f"{archive}/x.jpg"]
    assert names_in(["a.jpg\n", "\n", "s3://b/k.png\n", "a.jpg"]) == [names[0], "s3://b/k.png"]
    assert check_output("out") == f"{archive}/out"
    assert [part.paths for part in split_parts(names, 2, "s3://b", "jsonl", 3)] == [
        names[:2],
        names[2:4],
        names[4:],
    ]
    assert split_parts(names, 5, "s3://b", "jsonl", 3)[0].name == "s3://b/part-000003.jsonl"


def test_failures_beyond_those_listed_are_counted(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    for number in range(250):
        (tmp_path / "in" / f"{number:03}.png").touch()
    out = str(tmp_path / "out")
    assert main(["batch", str(tmp_path / "in"), "--out", out, "--url", NOBODY, "--json"]) == 1
    said, err = capsys.readouterr()
    summary = json.loads(said)
    assert (summary["ok"], summary["failed"], len(summary["failures"])) == (0, 250, LISTED)
    assert err.count(".png is empty") == LISTED
    assert f"and {250 - LISTED} more, whose rows say status failed" in err
    assert f"250 of 250 failed\nppocr-client: 0 of 250 were read into {out}\n" in err
    assert [row.error is not None for row in scan_output(out, "parquet", {})[0]] == [True] * 250

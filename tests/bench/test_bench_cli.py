"""The command `ppocr-bench`, on the real server where it asks one."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from paths import ROOT, SAMPLES

from ppocr_bench.cli import OLD, build_parser, main

HEAVY = ("numpy", "cv2", "onnxruntime", "tritonclient", "paddle")


def test_help_loads_nothing_heavy():
    code = (
        "import sys; from ppocr_bench.cli import build_parser; build_parser('').format_help(); "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("command", [[], ["no-such-verb"], ["latency", "--rounds", "many"]])
def test_wrong_usage_ends_with_2(command):
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code == 2


@pytest.mark.parametrize("name", OLD)
def test_old_names_of_verbs_stand_for_words_of_now(name, capsys):
    words = OLD[name].split()
    assert build_parser(words[0]).parse_args(words).verb == words[0]
    assert main([name, "--rounds", "1", "--no-samples", "--repository", "nothing"]) == 1
    told, *_, reason = capsys.readouterr().err.splitlines()
    assert f"this is now `{OLD[name]} --rounds 1" in told
    assert "nothing" in reason or "there are no pictures" in reason


def test_a_package_that_is_missing_is_named_with_the_extra(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "psutil", None)
    before = {name: one for name, one in sys.modules.items() if name.startswith("ppocr_bench.")}
    for name in before:
        del sys.modules[name]
    try:
        assert main(["accuracy", "--help"]) == 1
    finally:  # What was loaded meanwhile has other classes than the rest of the tests.
        for name in [name for name in sys.modules if name.startswith("ppocr_bench.")]:
            del sys.modules[name]
        sys.modules.update(before)
    said = capsys.readouterr().err
    assert said.startswith("ppocr-bench: no package psutil; ")
    assert "ppocr-triton[bench]" in said


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["--samples", "no-such-folder"], "--samples"),
        (["--no-samples"], "there are no pictures"),
        (["--repository", "no-such-repository", "--samples", str(SAMPLES)], "no-such-rep"),
    ],
)
def test_what_is_not_there_ends_with_1(command, said, capsys):
    assert main(["consistency", *command]) == 1
    assert said in capsys.readouterr().err


@pytest.fixture
def bench(server, repository, capsys) -> Any:
    """Run a verb on the running server over both protocols and return its JSON."""

    def run(verb: str, *options: str) -> Any:
        urls = ["--url", f"grpc://{server.grpc_url}", "--url", f"http://{server.http_url}"]
        paths = ["--samples", str(SAMPLES), "--repository", str(repository)]
        assert main([verb, "--json", *urls, *paths, *options]) == 0
        return json.loads(capsys.readouterr().out)

    return run


@pytest.fixture
def labelled(tmp_path) -> Path:
    """Two of the samples, with what is on them."""
    folder, truth = tmp_path / "labelled", json.loads((ROOT / "samples/truth.json").read_text())
    folder.mkdir()
    names = ("sign_vertical.jpg", "poster_zh.jpg")
    for name in names:
        shutil.copy(SAMPLES / name, folder)
    (folder / "truth.json").write_text(json.dumps({name: truth[name] for name in names}))
    return folder


@pytest.mark.server
def test_accuracy_of_both_paddings_and_goes_on_from_what_was_read(
    server, labelled, tmp_path, capsys
):
    kept = tmp_path / "kept.jsonl"
    command = ["accuracy", "--json", "--readers", "ours", "--url", f"grpc://{server.grpc_url}"]
    options = "rec_padding=paddle,orientation=off"  # YAML would take "off" for false
    command += ["--with-options", options, "--kinds", "plain", "strip", "--limit", "1"]
    command += ["--labelled", str(labelled), "--resume", str(kept)]
    assert main(command) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["settings"] == {"pictures": 4, "lines": 26}
    rows = report["tables"]["readers"]["rows"]
    assert [row["reader"] for row in rows] == ["ours", f"ours {options}"]
    for rates in rows:
        assert rates["hmean_percent"] > 90
        assert rates["folded_cer_percent"] < 10
        assert rates["order_error_percent"] < 5
        assert rates["word_iou_percent"] > 60
    kinds = [row["kind"] for row in report["tables"]["exact_percent_by_kind"]["rows"]]
    assert kinds == ["plain", "strip", "labelled"]
    assert len(kept.read_text().splitlines()) == 8
    read = kept.read_text()
    kept.write_text(read.replace("鲜果", "干果"))  # what was kept is not read again
    assert main(command) == 0
    again = json.loads(capsys.readouterr().out)["tables"]["readers"]["rows"]
    assert again[0]["exact_percent"] < rows[0]["exact_percent"]
    kept.write_text("{}")
    assert main(command) == 1
    assert "was not written by --resume" in capsys.readouterr().err


@pytest.mark.server
@pytest.mark.parametrize("padding", ["crop", pytest.param("paddle", marks=pytest.mark.nightly)])
def test_eight_clients_get_the_bytes_that_one_gets(bench, padding):
    report = bench("consistency", "--requests", "18", "--rec-padding", padding)
    assert report["ok"], report["notes"]
    settings = report["settings"]
    assert (report["options"]["clients"], len(settings["pictures"])) == (8, 6)
    assert "18 answers" in report["summary"]


@pytest.mark.server
def test_latency_beside_the_bare_networks(bench):
    poster = str(SAMPLES / "poster_zh.jpg")
    few = ["--no-samples", "--pages", "0", "--images", poster, "--lines", "1,6"]
    report = bench("latency", *few, "--rounds", "2", "--warm-up", "1")
    rows = report["tables"]["timed"]["rows"]
    assert {row["protocol"] for row in rows} == {"grpc", "http"}
    for row in rows:
        assert len(row["seconds"]) == len(row["networks_seconds"]) == 2
        assert row["ratio"] == pytest.approx(row["median_ms"] / row["networks_ms"])
    pages = [row for row in rows if row["picture"].startswith("page of")]
    assert [row["lines"] for row in pages] == [1, 1, 6, 6]
    assert report["machine"]["cores"] >= 1
    assert report["machine"]["versions"]["onnxruntime"][0].isdigit()

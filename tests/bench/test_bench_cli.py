"""The command `ppocr-bench`, on the real server where it asks one."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ppocr_bench.cli import main
from ppocr_server.tritonserver.server import TritonServer

ROOT = Path(__file__).parents[2]
HEAVY = ("numpy", "cv2", "onnxruntime", "tritonclient", "paddle")


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from ppocr_bench.cli import build_parser; build_parser().format_help(); "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("command", [[], ["no-such-verb"], ["latency", "--rounds", "many"]])
def test_wrong_usage_ends_with_2(command: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code == 2


def test_missing_samples_end_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["accuracy", "--samples", str(tmp_path)]) == 1
    assert "--samples" in capsys.readouterr().err


def test_a_missing_repository_ends_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["consistency", "--repository", str(tmp_path), "--samples", str(ROOT / "samples")]
    assert main(command) == 1
    assert str(tmp_path) in capsys.readouterr().err


@pytest.fixture
def bench(server: TritonServer, repository: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a verb on the running server over both protocols and return its JSON."""

    def run(verb: str, *options: str) -> Any:
        urls = ["--url", f"grpc://{server.grpc_url}", "--url", f"http://{server.http_url}"]
        paths = ["--samples", str(ROOT / "samples"), "--repository", str(repository)]
        assert main([verb, "--json", *urls, *paths, *options]) == 0
        return json.loads(capsys.readouterr().out)

    return run


@pytest.mark.server
def test_accuracy_of_both_paddings(bench: Any) -> None:
    report = bench("accuracy", "--pages", "2")
    assert report["pictures"] == 9
    for rates in report["rec_padding"].values():
        assert rates["truth_boxes"] > 100
        assert rates["hmean"] > 0.9
        assert rates["folded_cer"] < 0.05


@pytest.mark.server
@pytest.mark.parametrize("padding", ["crop", pytest.param("paddle", marks=pytest.mark.nightly)])
def test_eight_clients_get_the_bytes_that_one_gets(bench: Any, padding: str) -> None:
    report = bench("consistency", "--requests", "32", "--rec-padding", padding)
    assert report["differences"] == []
    assert (report["clients"], report["requests"], len(report["pictures"])) == (8, 32, 6)


@pytest.mark.server
def test_latency_beside_the_bare_networks(bench: Any) -> None:
    report = bench("latency", "--pages", "0", "--rounds", "2", "--warm-up", "1")
    assert {row["way"] for row in report["timed"]} == {
        "grpc",
        "http",
        "bare networks",
        "bare, one by one",
    }
    assert all(len(row["seconds"]) == 2 and min(row["seconds"]) > 0 for row in report["timed"])
    assert set(report["ratio"]) == set(report["not_inference"]) == {"grpc", "http"}
    assert report["machine"]["cores"] >= 1
    assert report["machine"]["versions"]["onnxruntime"][0].isdigit()


@pytest.mark.server
def test_the_old_endpoints_beside_asking_directly(
    server: TritonServer, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = ["--clients", "2", "--requests", "2", "--rounds", "2"]
    assert main(["endpoint", "--json", "--url", f"grpc://{server.grpc_url}", *sizes]) == 0
    report = json.loads(capsys.readouterr().out)
    assert set(report["median_ms"]) == {"direct gRPC", "old RPC", "old HTTP"}
    assert all(len(r) == 2 and min(r) > 0 for r in report["median_ms"].values())
    assert max(report["cpu_ms"]["old RPC"] + report["cpu_ms"]["old HTTP"]) > 0

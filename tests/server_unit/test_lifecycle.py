"""Starting and stopping the real tritonserver: whatever happens, nothing is left behind."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from cases import cases
from server_unit.tiny_models import add_model, config, plus_one
from serving import FREE, SERVE, eventually, get, is_gone, serving
from tritonclient.grpc.model_config_pb2 import ModelConfig

from ppocr_server.cli import main
from ppocr_server.errors import PortInUseError, ServerError
from ppocr_server.run_with_server import run_while_serving
from ppocr_server.tritonserver import health
from ppocr_server.tritonserver.process import GuardedProcess
from ppocr_server.tritonserver.process_guard import leftovers, shared_memory
from ppocr_server.tritonserver.resources import start_seconds
from ppocr_server.tritonserver.server import TritonServer

pytestmark = pytest.mark.server


def test_it_is_ready_on_entry_and_gone_on_exit(small_repository):
    with TritonServer(small_repository, grace=20) as server:
        assert json.loads(get(f"{server.http_url}/v2"))["version"] == "2.51.0"
        assert b"nv_inference_count" in get(f"{server.metrics_url}/metrics")
        assert server.models == ["small"]
        assert len(shared_memory(server.shared_memory_prefix)) == 1
        assert "successfully loaded 'small'" in server.log()
        with pytest.raises(ServerError, match="already running"):
            server.start()
    assert is_gone(server.session, server.shared_memory_prefix)
    with pytest.raises(OSError, match="refused"):
        get(f"{server.http_url}/v2")


def test_a_second_server_with_an_odd_path_and_a_module_beside_it(
    small_server, tmp_path, monkeypatch
):
    repository = tmp_path / "it's a $HOME"
    add_model(repository, "small", config(), plus_one())
    # Not to be taken for the backend.
    (tmp_path / "model.py").write_text("raise RuntimeError('the wrong file')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
    with TritonServer(repository, grace=0, log_path="a log") as server:
        assert server.models == ["small"]
        for pid in {server.pid, *leftovers(server.session)}:
            environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            assert b"ORT_DISABLE_TELEMETRY=1" in environment
        used = {small_server.http_url, small_server.grpc_url, small_server.metrics_url}
        assert used.isdisjoint({server.http_url, server.grpc_url, server.metrics_url})
    assert "successfully loaded" in (tmp_path / "a log").read_text()
    assert is_gone(server.session, server.shared_memory_prefix)
    assert shared_memory(small_server.shared_memory_prefix)
    assert get(f"{small_server.http_url}/v2/health/ready") == b""


def test_a_busy_port(small_server, small_repository):
    port = int(small_server.http_url.rpartition(":")[2])
    with pytest.raises(PortInUseError, match=f"port {port} .* --http-port"):
        TritonServer(small_repository, http_port=port).start()


def test_too_little_time_names_what_is_missing(small_repository):
    server = TritonServer(small_repository, timeout=0.02, grace=0)
    with pytest.raises(ServerError, match=r"not ready after 0\.02 s, still without small"):
        server.start()
    assert is_gone(server.session, server.shared_memory_prefix)


def test_more_processes_and_engines_may_take_longer_to_start():
    tensorrt = ModelConfig()
    accelerators = tensorrt.optimization.execution_accelerators
    accelerators.gpu_execution_accelerator.add().name = "tensorrt"
    assert start_seconds(0, []) >= 120
    assert start_seconds(25, [ModelConfig()]) >= 600
    assert start_seconds(5, [ModelConfig(), tensorrt]) >= 800


def test_the_reason_survives_the_log(small_repository, monkeypatch):
    server = TritonServer(small_repository, grace=0, extra=["--no-such-argument"])

    def ended(*arguments: object) -> None:
        """Answer like a server that is not up, after the guard has removed the run folder."""
        assert server.wait(20) is not None

    monkeypatch.setattr(health, "model_index", ended)
    with pytest.raises(
        ServerError, match="ended while starting: unrecognized option '--no-such-argument'"
    ):
        server.start()
    assert is_gone(server.session, server.shared_memory_prefix)


def test_a_binary_that_cannot_be_executed_has_a_reason(tmp_path):
    broken = tmp_path / "tritonserver"
    broken.write_bytes(b"#!/no/such/interpreter\n")
    broken.chmod(0o755)
    (tmp_path / "run").mkdir()
    with pytest.raises(ServerError, match="could not be executed: No such file or directory"):
        GuardedProcess(
            [str(broken)], {}, run_folder=tmp_path / "run", prefix="none-", log=2, grace=0
        )
    assert not (tmp_path / "run").exists()


def test_a_killed_tritonserver_leaves_nothing_behind(small_repository):
    with TritonServer(small_repository, grace=0) as server:
        os.kill(server.pid, signal.SIGKILL)
        assert server.wait(20) == 128 + signal.SIGKILL
        assert is_gone(server.session, server.shared_memory_prefix)
        assert "successfully loaded 'small'" in server.log()


def test_a_killed_guard_ends_the_server(small_repository):
    with TritonServer(small_repository, grace=0) as server:
        os.kill(server.session, signal.SIGKILL)
        assert server.wait(20) is not None
    assert eventually(lambda: is_gone(server.session, server.shared_memory_prefix))


def test_a_step_that_hangs_is_killed_after_the_grace_time(small_repository):
    with TritonServer(small_repository, grace=1) as server:
        for pid in leftovers(server.session):
            if pid != server.pid:
                os.kill(pid, signal.SIGSTOP)
        began = time.monotonic()
    assert time.monotonic() - began < 8
    assert is_gone(server.session, server.shared_memory_prefix)


@pytest.mark.parametrize(
    ("number", "grace"), [(signal.SIGINT, "10"), (signal.SIGHUP, "0"), (signal.SIGKILL, "0")]
)
def test_a_signal_ends_everything(number, grace, small_repository):
    # SIGTERM: see test_a_signal_while_starting
    with serving(small_repository, "--grace", grace) as served:
        process, ready = served.process, served.ready
        assert get(f"{ready['http']}/v2/health/ready") == b""
        assert ready["models"] == ["small"]
        assert ready["engines"] == {"small": "onnxruntime"}
        assert ready["versions"]["triton"].startswith("2.51.0")
        assert "stand-in" in ready["versions"]["onnxruntime"]
        session, prefix = os.getsid(ready["pid"]), f"ppocr-{process.pid}-"
        assert shared_memory(prefix)
        process.send_signal(number)
        assert process.wait(30) == (-number if number == signal.SIGKILL else 0)
        assert eventually(
            lambda: is_gone(session, prefix) and not Path(f"/proc/{session}").exists()
        )


def test_a_signal_while_starting(small_repository):
    process = subprocess.Popen(
        [*SERVE, "--model-repository", str(small_repository), *FREE], stderr=subprocess.DEVNULL
    )
    assert eventually(lambda: bool(shared_memory(f"ppocr-{process.pid}-")))
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert not shared_memory(f"ppocr-{process.pid}-")


def test_a_server_that_dies_is_reported(small_repository):
    with serving(small_repository, "--restarts", "0") as served:
        os.kill(served.ready["pid"], signal.SIGKILL)
        assert served.process.wait(20) == 1
        assert "ended by itself with status 137" in served.errors()


def serve(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*SERVE, *arguments], capture_output=True, text=True, timeout=60)


def serve_for(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return serve("--model-repository", str(repository), *FREE, "--grace", "0", *arguments)


def test_a_command_runs_while_the_server_does(small_repository):
    script = 'curl -s "$PPOCR_HTTP_URL/v2/models/small" && exit 7'
    done = serve_for(small_repository, "--log-file", "-", "--", "sh", "-c", script)
    assert done.returncode == 7
    assert json.loads(done.stdout)["name"] == "small"
    # The log can go to standard error, and names the versions.
    assert "successfully loaded 'small'" in done.stderr
    header = next(line for line in done.stderr.splitlines() if "OpenCV" in line)
    assert "nvidia-pytriton" in header
    assert "ONNX Runtime" in header


def test_a_command_that_does_not_exist(small_server):
    with pytest.raises(ServerError, match="cannot run 'no-such-command'"):
        run_while_serving(small_server, ["no-such-command"])


@pytest.mark.parametrize(("arguments", "status", "words"), cases(__file__)["failures"])
def test_failures_are_one_line_and_a_status(arguments, status, words):
    done = serve(*arguments)
    assert done.returncode == status
    assert all(word in done.stderr for word in words)
    assert "Traceback" not in done.stderr
    if status == 1:
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("words", [[], ["endpoint"], ["shm-size"]])
def test_help_names_defaults_once(words, capsys):
    with pytest.raises(SystemExit) as ended:
        main([*words, "--help"])
    assert ended.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "None" not in text.replace("none", "")
    assert "default" in text
    assert not re.search(r"\(default[^)]*\) \(default", text)

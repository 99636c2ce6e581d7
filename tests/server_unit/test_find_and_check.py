"""What is found out before tritonserver is started: itself, the repository, the ports."""

import importlib.util
import re
import shutil
import socket
import sys
from pathlib import Path

import pytest
from server_unit.tiny_models import add_model, config, parameter, plus_one

from ppocr_converters.cli import main
from ppocr_engine.environment import TELEMETRY_OFF
from ppocr_engine.errors import RepositoryError
from ppocr_engine.repository_check import check_repository
from ppocr_pipeline.options import OPTIONS
from ppocr_server.configured import read_config
from ppocr_server.errors import NotInstalledError, PortInUseError, ServerError
from ppocr_server.tritonserver import installation
from ppocr_server.tritonserver.installation import Installation, check_glibc, find_tritonserver
from ppocr_server.tritonserver.launch import (
    HUGE_PAGES,
    OPTION_HEADERS,
    check_stub,
    triton_environment,
)
from ppocr_server.tritonserver.ports import choose_ports
from ppocr_server.tritonserver.resources import process_count, surplus

ANY = {"http": 0, "grpc": 0, "metrics": 0}


def container(root: Path, *engines: str) -> Path:
    """An installation laid out as the container has it; returns its binary."""
    binary = root / "bin" / "tritonserver"
    libraries = [root / "backends" / "python" / "libtriton_python.so"]
    libraries += [root / "backends" / name / f"libtriton_{name}.so" for name in engines]
    for path in (binary, *libraries):
        path.parent.mkdir(parents=True)
        path.write_text("#!/bin/sh\n")
    binary.chmod(0o755)
    return binary


def without_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(installation, "CONTAINER_ROOT", Path("/nonexistent"))


def test_the_wheel_is_found_with_its_stub(monkeypatch):
    without_installation(monkeypatch)
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.hugetlb=0")
    found = find_tritonserver()
    assert found.origin == "wheel"
    assert found.stand_ins == ("onnxruntime", "openvino")
    assert found.stub is not None
    assert found.stub.is_file()
    assert found.libraries
    assert all(folder.is_dir() for folder in found.libraries)
    environment = triton_environment(found)
    check_stub(found, environment)
    assert environment["PATH"].startswith(f"{Path(sys.executable).parent}:")
    # What is set already comes last, and wins.
    assert environment["GLIBC_TUNABLES"] == f"{HUGE_PAGES}:glibc.malloc.hugetlb=0"


def test_a_stub_without_its_python_library_is_refused(tmp_path):
    stub = tmp_path / "stub"
    stub.write_text(
        "#!/bin/sh\n"
        "echo 'stub: error while loading shared libraries: libpython3.10.so.1.0: cannot' >&2\n"
        "exit 127\n"
    )
    stub.chmod(0o755)
    broken = Installation("wheel", tmp_path, tmp_path, (tmp_path,), stub)
    with pytest.raises(NotInstalledError, match=r"libpython3\.10\.so\.1\.0.*apt install"):
        check_stub(broken, {})


def test_a_missing_wheel_is_told_with_the_command_that_installs_it(monkeypatch):
    without_installation(monkeypatch)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(NotInstalledError, match=r"pip install 'ppocr-triton\[serve\]'"):
        find_tritonserver()


def test_a_container_on_the_path_comes_before_the_wheel(tmp_path, monkeypatch):
    binary = container(tmp_path, "onnxruntime", "openvino")
    monkeypatch.setattr(shutil, "which", lambda name: str(binary))
    found = find_tritonserver()
    assert (found.origin, found.binary) == ("container", binary)
    assert found.stand_ins == ()


def test_an_explicit_binary_must_be_one(tmp_path):
    with pytest.raises(NotInstalledError, match="is not an executable file"):
        find_tritonserver(tmp_path)
    lonely = tmp_path / "bin" / "tritonserver"
    lonely.parent.mkdir()
    lonely.touch(0o755)
    with pytest.raises(NotInstalledError, match="no backends folder"):
        find_tritonserver(lonely)


def test_new_enough_c_libraries_and_others():
    for version in ("2.35", "2.41"):
        check_glibc("glibc", version)
    with pytest.raises(NotInstalledError, match=r"glibc 2\.35 or newer, this system has 2\.31"):
        check_glibc("glibc", "2.31")
    with pytest.raises(NotInstalledError, match=r"2\.35 .* is not glibc"):
        check_glibc("", "")


def test_the_cpp_backend_is_used_where_it_is(tmp_path):
    binary = container(tmp_path / "triton", "onnxruntime", "openvino")
    found = find_tritonserver(binary)
    assert found.assemble_backends(tmp_path / "backends") == found.backends
    assert not (tmp_path / "backends").exists()
    assert triton_environment(found) == TELEMETRY_OFF


def test_a_stand_in_joins_a_container_that_lacks_its_engine(tmp_path):
    found = find_tritonserver(container(tmp_path / "triton", "onnxruntime"))
    backends = found.assemble_backends(tmp_path / "backends")
    assert not (backends / "onnxruntime" / "model.py").exists()
    assert (backends / "onnxruntime" / "libtriton_onnxruntime.so").is_file()
    assert (backends / "openvino" / "model.py").is_file()
    assert (backends / "python" / "libtriton_python.so").is_file()


def test_free_ports_differ():
    assert len(set(choose_ports("127.0.0.1", ANY).values())) == 3


def test_a_busy_old_port_is_named_with_its_file(tmp_path):
    config = tmp_path / "config.yml"
    ops = "op:\n" + "".join(
        f"  {op}: {{local_service_conf: {{model_config: PP-OCRv4_mobile_{op}}}}}\n"
        for op in ("det", "rec")
    )
    with socket.create_server(("0.0.0.0", 0)) as other:
        config.write_text(f"http_port: {other.getsockname()[1]}\nrpc_port: 18090\n{ops}")
        with pytest.raises(PortInUseError, match=f"choose another with http_port in {config}"):
            read_config(config)


def test_one_port_cannot_serve_two_endpoints():
    port = choose_ports("127.0.0.1", ANY)["http"]
    with pytest.raises(PortInUseError, match="--grpc-port"):
        choose_ports("127.0.0.1", {**ANY, "http": port, "grpc": port})


def test_impossible_ports_and_hosts():
    with pytest.raises(ServerError, match="--http-port 70000 is out of range"):
        choose_ports("127.0.0.1", {**ANY, "http": 70000})
    with pytest.raises(ServerError, match="change the address or --http-port"):
        choose_ports("192.0.2.1", ANY)


@pytest.mark.parametrize(
    ("models", "words"),
    [
        ([], ["is empty"]),
        (
            [("det", config()), ("rec", config())],
            ["'det', 'rec'", "det/1/model.onnx", "`ppocr-convert build`"],
        ),
        ([("step", config("python"))], ["step/1/model.py does not exist"]),
        ([("det", config() + "instances: 3", plus_one())], ["det/config.pbtxt", "instances"]),
    ],
    ids=["nothing", "no weights", "no code", "a wrong field"],
)
def test_a_repository_that_cannot_be_served_is_told_why(tmp_path, models, words):
    for model in models:
        add_model(tmp_path, *model)
    with pytest.raises(RepositoryError) as caught:
        check_repository(tmp_path)
    assert all(word in str(caught.value) for word in words), caught.value


def test_a_repository_that_is_not_there_is_named_with_the_remedy(tmp_path):
    said = r"there is no model repository at (\S+); run `ppocr-convert build --out \1`$"
    with pytest.raises(RepositoryError, match=said):
        check_repository(tmp_path / "absent")


def test_the_engine_of_each_network_is_known(tmp_path):
    half = config("openvino", more=parameter("HINT_BF16", "YES"))
    add_model(tmp_path, "det", half, plus_one())
    add_model(tmp_path, "rec", config("openvino"), plus_one())
    add_model(tmp_path, "cls", config(), plus_one())
    assert check_repository(tmp_path).engines == {
        "cls": "onnxruntime",
        "det": "openvino bf16",
        "rec": "openvino",
    }


def test_what_a_configuration_asks_for_without_effect_is_told(tmp_path, capsys):
    add_model(tmp_path, "det", config(more=parameter("enable_cuda_graph", "1")), plus_one())
    add_model(tmp_path, "rec", config(more=parameter("execution_mode", "9")), plus_one())
    note = "det: without effect: parameter enable_cuda_graph: only the accelerator cuda reads it"
    found = check_repository(tmp_path)
    assert (found.notes, found.engines["rec"]) == ([note], "onnxruntime")
    assert main(["check-repository", str(tmp_path)]) == 0
    assert capsys.readouterr().out.endswith(f": det, rec\n{note}\n")


def test_only_complete_configurations_are_served_as_they_are(tmp_path):
    add_model(tmp_path, "det", config(), plus_one())
    found = check_repository(tmp_path)
    assert (found.models, found.complete) == (["det"], True)
    add_model(tmp_path, "bare", 'backend: "onnxruntime"', plus_one())
    assert not check_repository(tmp_path).complete


def test_far_more_processes_than_cores_can_run_are_told(tmp_path):
    add_model(tmp_path, "det", config(count=64), plus_one())
    add_model(tmp_path, "rec", config(count=64), plus_one())
    add_model(tmp_path, "native", config("openvino", count=900), plus_one())
    processes = process_count(check_repository(tmp_path).configs, ("python", "onnxruntime"))
    assert processes == 128
    assert surplus(processes, cores=13) == ""
    told = surplus(processes, cores=2)
    for words in ("starts 128 processes", "2 core(s)", "`ppocr-convert build --cores 2`"):
        assert words in told


def test_every_option_may_be_sent_as_a_header_and_other_headers_are_not_taken_for_one():
    for name in OPTIONS:
        assert re.search(OPTION_HEADERS, name)
        assert re.search(OPTION_HEADERS, name.replace("_", "-").title())
    for header in ("Host", "User-Agent", "Referer", "Content-Type", "Authorization", "Range"):
        assert not re.search(OPTION_HEADERS, header)

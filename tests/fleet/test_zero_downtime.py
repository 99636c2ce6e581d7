"""Two servers behind Envoy: one is killed, both are updated, a canary takes over, unnoticed."""

import os
import re
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import yaml
from fleet.copies import small_copy
from load import CLIENTS, under_load
from paths import ROOT, SIGN
from serving import eventually

from ppocr_server.tritonserver.ports import choose_ports
from ppocr_server.tritonserver.server import TritonServer

EXPLICIT = ("--model-control-mode=explicit", "--load-model=*")
# Seldom changed, and four servers are started for it.
pytestmark = [pytest.mark.server, pytest.mark.nightly]


def configured_envoy(servers: dict[str, list[str]], listener: int, admin: int) -> str:
    """The project's own envoy.yaml with the addresses of this test."""
    config = yaml.safe_load((ROOT / "docker" / "envoy" / "envoy.yaml").read_text())
    config["admin"]["address"]["socket_address"]["port_value"] = admin
    resources = config["static_resources"]
    address = resources["listeners"][0]["address"]["socket_address"]
    address.update(address="127.0.0.1", port_value=listener)
    for cluster in resources["clusters"]:
        addresses = [url.rsplit(":", 1) for url in servers[cluster["name"]]]
        cluster["load_assignment"]["endpoints"][0]["lb_endpoints"] = [
            {
                "endpoint": {
                    "address": {"socket_address": {"address": host, "port_value": int(port)}}
                }
            }
            for host, port in addresses
        ]
    return str(yaml.safe_dump(config))


@contextmanager
def running_envoy(envoy: Path, config: str, folder: Path, admin: int) -> Iterator[None]:
    file = folder / "envoy.yaml"
    file.write_text(config)
    with (folder / "envoy.log").open("wb") as log:
        command = [str(envoy), "-c", str(file), "--disable-hot-restart", "--concurrency", "1"]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        assert eventually(lambda: healthy_servers(admin) == 3, 30), "Envoy sees all servers"
        yield
    finally:
        process.terminate()
        process.wait(20)


def ask(url: str, method: str = "GET", headers: dict[str, str] | None = None) -> str:
    request = urllib.request.Request(url, method=method, headers=headers or {})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return str(answer.read().decode())


def healthy_servers(admin: int) -> int:
    """How many endpoints Envoy sends requests to, of both groups together."""
    try:
        text = ask(f"http://127.0.0.1:{admin}/clusters")
    except OSError:
        return 0
    return text.count("health_flags::healthy")


def on_their_way(admin: int) -> int:
    """Requests of the stable group that Envoy waits for."""
    name = "cluster.stable.upstream_rq_active$"
    return int(ask(f"http://127.0.0.1:{admin}/stats?filter={name}").split(":")[1])


def pages_of(server: TritonServer) -> int:
    """How many pictures a server has read."""
    text = ask(f"http://{server.metrics_url}/metrics")
    found = re.search(r'^nv_inference_request_success\{model="ocr".*\} (\d+)', text, re.MULTILINE)
    return int(found[1]) if found else 0


def add_version(repository: Path, server: TritonServer) -> None:
    """Version 2 of the recogniser beside version 1, then loaded: version 1 goes when 2 is ready."""
    new = repository / "rec" / "2"
    shutil.copytree(repository / "rec" / "1", new)
    load_recogniser(server, version="2")


def load_recogniser(server: TritonServer, version: str) -> None:
    load = f"http://{server.http_url}/v2/repository/models/rec/load"
    ask(load, "POST", server.security.headers)
    assert f'"versions":["{version}"]' in ask(f"http://{server.http_url}/v2/models/rec")


def test_no_request_fails_while_servers_die_and_models_change(repository, program, tmp_path):
    envoy = program("envoy")
    picture = SIGN.read_bytes()
    ports = choose_ports("127.0.0.1", {"envoy": 0, "admin": 0, "a": 0, "b": 0})
    folders = {name: small_copy(repository, tmp_path / name) for name in ("a", "b")}

    def start(name: str) -> TritonServer:
        server = TritonServer(folders[name], grpc_port=ports[name], extra=EXPLICIT, grace=0)
        return servers.enter_context(server)

    with ExitStack() as servers:
        a, b = start("a"), start("b")
        groups = {"stable": [a.grpc_url, b.grpc_url], "canary": [b.grpc_url]}
        config = configured_envoy(groups, ports["envoy"], ports["admin"])
        with (
            running_envoy(envoy, config, tmp_path, ports["admin"]),
            under_load(f"grpc://127.0.0.1:{ports['envoy']}", picture) as load,
        ):
            load.pass_requests(8)
            # One connection of each client, and yet both servers read.
            assert pages_of(a) > 0
            assert pages_of(b) > 0

            os.kill(b.pid, signal.SIGKILL)
            load.pass_requests(8)
            b.stop()
            b = start("b")
            assert eventually(lambda: healthy_servers(ports["admin"]) == 3, 30), "not taken in"
            load.pass_requests(8)
            assert pages_of(b) > 0

            for name, server in (("b", b), ("a", a)):
                add_version(folders[name], server)
                load.pass_requests(4)
            shutil.rmtree(folders["b"] / "rec" / "2")
            load_recogniser(b, version="1")
            load.pass_requests(4)

            weights = "ocr.stable=0&ocr.canary=100"
            ask(f"http://127.0.0.1:{ports['admin']}/runtime_modify?{weights}", "POST")
            assert eventually(lambda: on_their_way(ports["admin"]) == 0, 30), "stable still works"
            load.pass_requests(CLIENTS)
            before = pages_of(a), pages_of(b)
            load.pass_requests(4)
            assert pages_of(a) == before[0]
            assert pages_of(b) > before[1]

    assert load.failed == []
    assert len(set(load.answered)) == 1

"""The guide's worked examples and commands, taken from its text and tried."""

import ast
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import tritonclient.http as triton
import yaml
from paths import ROOT, SAMPLES
from server_unit.stand_ins import sent
from serving_config.configs import EXAMPLE
from work_folders import ONE_PICTURE, work_of

from ppocr_converters.cli import main
from ppocr_converters.repository.source import source_repository
from ppocr_server.tritonserver.server import TritonServer

ENVIRONMENT = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
LONG = 200  # pixels, as in the guide's filter
PROFILE = {"profile": "cpu-onnxruntime"}  # what the other tests have had proven


def blocks(language: str) -> list[str]:
    """The guide's fenced blocks of one language."""
    text = (ROOT / "docs" / "migration.md").read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports


@pytest.fixture(scope="module")
def examples(repository, tmp_path_factory) -> Path:
    """The repository that follows from all of the guide's examples together."""
    folder = tmp_path_factory.mktemp("guide")
    mine = folder / "my_repository"
    shutil.copytree(source_repository(), mine)
    contrast, long_boxes = blocks("python")
    step = mine / "det_preprocess" / "1" / "model.py"
    before, line, after = re.split(
        r"(^ +pixels = .*\n)", step.read_text("utf-8"), flags=re.MULTILINE
    )
    step.write_text(before + line + contrast + after, "utf-8")
    step = mine / "det_postprocess" / "1" / "model.py"
    before, after = step.read_text("utf-8").split("        return triton_io.response(", 1)
    step.write_text(f"{before}{long_boxes}        return triton_io.response({after}", "utf-8")
    (_, line) = blocks("text")
    config = mine / "ocr" / "config.pbtxt"
    head, tail = config.read_text("utf-8").split("ensemble_scheduling", 1)
    config.write_text(f"{head}{line}ensemble_scheduling{tail}", "utf-8")
    settings = yaml.safe_load((ROOT / "config.yml").read_text("utf-8"))
    (threshold,) = blocks("yaml")
    settings["triton"] |= yaml.safe_load(threshold)["triton"] | PROFILE
    for op in settings["op"].values():
        op["concurrency"] = 1
    (folder / "config.yml").write_text(yaml.safe_dump(settings), "utf-8")
    command = ["build", "--config", str(folder / "config.yml"), "--source", str(mine)]
    out, work = folder / "repository", work_of(repository, folder / "work")
    assert main([*command, "--work", str(work), "--out", str(out), *ONE_PICTURE]) == 0
    return out


@pytest.mark.server
def test_the_worked_examples_do_what_the_guide_says(examples):
    pictures = sorted(SAMPLES.glob("*.jpg"))
    with TritonServer(examples) as server, triton.InferenceServerClient(server.http_url) as client:
        found = {}
        for picture in pictures:
            boxes, scores, size = ask(client, picture)
            found[picture.name] = len(boxes)
            sides = np.linalg.norm(boxes - np.roll(boxes, -1, axis=1), axis=2)
            assert (sides.max(axis=1) >= LONG).all()
            assert (scores >= 0.8).all()
            assert size.shape == (2,)
            assert (boxes[..., 1] <= size[0]).all()
            assert (boxes[..., 0] <= size[1]).all()
        assert (brightened(client) == 120).all()
    # Its lines are upright: their top edges are short.
    assert found["sign_vertical.jpg"] > 0


def brightened(client: triton.InferenceServerClient) -> np.ndarray:
    """What det_preprocess makes of a picture whose every value is 100."""
    _, png = cv2.imencode(".png", np.full((64, 64, 3), 100, np.uint8))
    image = sent({"IMAGE": np.array([png.tobytes()], np.object_)}, triton)
    wanted = [triton.InferRequestedOutput("PIXELS")]
    pixels = client.infer("det_preprocess", image, outputs=wanted).as_numpy("PIXELS")
    assert pixels is not None
    return pixels


def ask(
    client: triton.InferenceServerClient, picture: Path
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    image = np.array([picture.read_bytes()], np.object_)
    answer = client.infer("ocr", sent({"IMAGE": image}, triton))
    boxes, scores, size = (answer.as_numpy(n) for n in ("BOXES", "BOX_SCORES", "IMAGE_SIZE"))
    assert boxes is not None
    assert scores is not None
    assert size is not None
    return boxes, scores, size


#: What the stock RPC client does, as a line of shell.
OVER_RPC = Path(__file__).with_name("over_rpc.sh").read_text("utf-8")


@pytest.mark.server
def test_one_command_serves_the_old_example_on_its_old_ports(repository, tmp_path, samples):
    """The old example's file, on free ports, asked as the guide asks, and over RPC."""
    settings = yaml.safe_load(EXAMPLE.read_text("utf-8"))
    assert [op["concurrency"] for op in settings["op"].values()] == [6, 3]
    settings["http_port"], settings["rpc_port"] = free_ports(2)
    settings["triton"] = {"http_port": 0, "grpc_port": 0, "metrics_port": 0} | PROFILE
    path = tmp_path / "config.yml"
    path.write_text(yaml.safe_dump(settings), "utf-8")
    built = str(tmp_path / "repository")
    work = ["--config", str(path), "--work", str(repository.parent)]
    assert main(["build", *work, "--out", built, *ONE_PICTURE]) == 0
    request = next(block for block in blocks("sh") if "curl" in block)
    address = "http://127.0.0.1:9999"
    assert address in request
    done = subprocess.run(
        [
            *("ppocr-serve", *work, "--model-repository", built),
            *("--log-folder", str(tmp_path / "logs"), "--gateway-port", "none"),
            *("--", "sh", "-ec", request.replace(address, "$PPOCR_OLD_HTTP_URL") + OVER_RPC),
        ],
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    )
    over_http, over_rpc = done.stdout.split("RPC ")
    answer = yaml.safe_load(over_http)  # JSON is YAML
    assert (answer["err_no"], answer["key"]) == (0, ["result"])
    for value in (answer["value"][0], over_rpc):
        lines = ast.literal_eval(value.strip())
        assert [text for (text, _), _ in lines] == samples["poster_zh.jpg"]
    assert "err_no=0" in (tmp_path / "logs" / "pipeline.log").read_text("utf-8")


@pytest.mark.parametrize(
    ("said", "options"),
    [
        ("on 0.0.0.0", ["--opt", "http_port={port}", "rpc_port="]),
        ("on 127.0.0.1", ["--gateway-port", "{port}", "--opt", "http_port={free}", "rpc_port="]),
        ("on 127.0.0.1", ["--grpc-port", "{port}", "--opt", "http_port={free}", "rpc_port="]),
    ],
)
def test_a_taken_port_is_told_before_anything_is_built(tmp_path, said, options):
    (free,) = free_ports(1)
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = taken.getsockname()[1]
        command = ["ppocr-serve", "--config", str(EXAMPLE), "--work", str(tmp_path / "work")]
        command += [option.format(port=port, free=free) for option in options]
        done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"port {port} {said} is already in use" in done.stderr
    assert not (tmp_path / "work").exists()

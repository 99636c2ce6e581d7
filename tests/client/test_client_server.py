"""The client on the real server, over both protocols."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from ppocr_client import OcrClient
from ppocr_client.errors import DeadlineExceeded, ImageError, InvalidRequest, ModelNotFound
from ppocr_client.transport import Infer
from ppocr_converters.render import encode_page, render_page

SAMPLES = Path(__file__).parents[2] / "samples"
pytestmark = pytest.mark.server


@pytest.fixture(params=["grpc", "http"])
def url(server, request) -> str:
    address = server.grpc_url if request.param == "grpc" else server.http_url
    return f"{request.param}://{address}"


@pytest.fixture
def client(url):
    with OcrClient(url) as connected:
        connected.wait_ready(30)
        yield connected


def test_a_picture_reads_the_same_by_path_and_by_bytes(client):
    path = SAMPLES / "sign_vertical.jpg"
    truth = json.loads((SAMPLES / "truth.json").read_text(encoding="utf-8"))[path.name]
    result = client.read(path)
    assert result == client.read(str(path)) == client.read(path.read_bytes())
    assert [line.text for line in result.lines] == [line["text"] for line in truth]
    for line, true in zip(result.lines, truth, strict=True):
        assert line.score > 0.9
        assert 0.6 < line.box_score <= 1
        assert abs(line.box - true["box"]).max() < 30


def test_no_text_is_an_empty_result(client):
    result = client.read(SAMPLES / "landscape.jpg")
    assert result.lines == ()
    assert result.text == ""


def test_both_protocols_read_the_same(server):
    page = encode_page(render_page(seed=5, lines=6))
    with OcrClient(server.grpc_url) as grpc, OcrClient(f"http://{server.http_url}") as http:
        assert grpc.read(page) == http.read(page)


def test_options_reach_the_pipeline(client):
    path = SAMPLES / "sign_vertical.jpg"
    assert client.read(path, drop_score=1.0).lines == ()
    assert client.read(path, det_db_box_thresh=1.0).lines == ()
    small = client.read(path, det_limit_side_len=320, use_dilation=True, rec_padding="paddle")
    assert small != client.read(path)


def test_the_servers_reason_arrives(client):
    with pytest.raises(ImageError, match=r"cannot be decoded.* none of JPEG, PNG") as raised:
        client.read(b"not a picture")
    assert raised.value.status == "INVALID_ARGUMENT"
    image = np.array([b"x"], np.object_)
    # Past the client's own check, the server's says the same.
    with pytest.raises(InvalidRequest, match="'drop_scor'; did you mean 'drop_score'"):
        client._transport.send(Infer("ocr", {"IMAGE": image}, {"drop_scor": 1}), 10)
    assert client.read(SAMPLES / "landscape.jpg").lines == ()


def test_another_model_is_not_there(url):
    with OcrClient(url, model="orc") as client:
        assert not client.server_ready()
        with pytest.raises(ModelNotFound, match="orc"):
            client.read(SAMPLES / "landscape.jpg")


def test_a_deadline_is_kept_and_the_client_goes_on(client):
    path = SAMPLES / "receipt_en.jpg"
    with pytest.raises(DeadlineExceeded, match=r"within 0\.02 s"):
        client.read(path, timeout=0.02)
    assert len(client.read(path).lines) == 20


def test_a_picture_larger_than_grpcs_own_limit(client):
    # Bytes after the end of a JPEG are no part of the picture.
    data = (SAMPLES / "landscape.jpg").read_bytes() + bytes(6 << 20)
    assert client.read(data).lines == ()


def test_threads_share_a_client(client):
    paths = [SAMPLES / name for name in ("sign_vertical.jpg", "landscape.jpg")]
    alone = [client.read(path) for path in paths]
    start = threading.Barrier(4)

    def read(index: int) -> bool:
        start.wait()
        return all(client.read(paths[i % 2]) == alone[i % 2] for i in range(index, index + 4))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(read, range(4)))

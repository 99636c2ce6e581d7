"""The client on the real server, over both protocols."""

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from client.samples import SQUEEZED, STRIP
from paths import SAMPLES, SIGN
from PIL import Image, ImageOps

from ppocr_client import AsyncOcrClient, OcrClient
from ppocr_client.errors import DeadlineExceeded, ImageError, ModelNotFound
from ppocr_converters.pictures.render import encode_page, render_page

pytestmark = pytest.mark.server


def test_a_picture_reads_the_same_by_path_and_by_bytes(client):
    path = SIGN
    truth = json.loads((SAMPLES / "truth.json").read_text(encoding="utf-8"))[path.name]
    result = client.read(path)
    assert result == client.read(str(path)) == client.read(path.read_bytes())
    assert [line.text for line in result.lines] == [line["text"] for line in truth]
    for line, true in zip(result.lines, truth, strict=True):
        assert line.score > 0.9
        assert 0.6 < line.box_score <= 1
        assert abs(line.box - true["box"]).max() < 30


def test_both_protocols_read_the_same(server):
    page = encode_page(render_page(seed=5, lines=6))
    with OcrClient(server.grpc_url) as grpc, OcrClient(f"http://{server.http_url}") as http:
        assert grpc.read(page) == http.read(page)


def test_options_reach_the_pipeline(client):
    path = SIGN
    assert client.read(path, drop_score=1.0).lines == ()
    assert client.read(path, det_db_box_thresh=1.0).lines == ()
    small = client.read(path, det_limit_side_len=320, use_dilation=True, rec_padding="paddle")
    assert small != client.read(path)


def test_the_servers_reason_arrives(client):
    with pytest.raises(ImageError, match=r"cannot be decoded.* none of JPEG, PNG") as raised:
        client.read(b"not a picture")
    assert raised.value.status == "INVALID_ARGUMENT"
    result = client.read(SAMPLES / "landscape.jpg")
    assert (result.lines, result.text) == ((), "")


def test_a_squeezed_picture_is_told(client):
    (said,) = client.read(STRIP).warnings
    assert said.startswith(SQUEEZED)
    assert client.detect(STRIP).warnings == (said,)
    assert client.read(SIGN).warnings == client.detect(SIGN).warnings == ()


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


def test_the_event_loops_client_reads_the_same(url, client):
    paths = [SAMPLES / name for name in ("sign_vertical.jpg", "landscape.jpg")]
    alone = [client.read(path) for path in paths]

    async def ask():
        async with AsyncOcrClient(url) as other:
            await other.wait_ready(10)
            assert await other.server_ready()
            many = [reading async for reading in other.read_many([*paths, b"x"], concurrency=2)]
            found = await other.detect(paths[0])
            return many, await other.recognize(paths[0], found), await other.server_info()

    many, recognized, info = asyncio.run(ask())
    assert [reading.result for reading in many] == [*alone, None]
    assert isinstance(many[2].error, ImageError)
    with pytest.raises(ImageError):
        many[2].get()
    assert recognized == alone[0]
    assert info == client.server_info()


def test_the_parts_of_the_pipeline_on_their_own(client):
    path = SIGN
    whole = client.read(path)
    found = client.detect(path)
    assert found.boxes.tolist() == [line.box.tolist() for line in whole.lines]
    assert found.scores.tolist() == pytest.approx([line.box_score for line in whole.lines])
    assert client.recognize(path, found) == whole
    (second,) = client.recognize(path, found.boxes[1:]).lines
    assert (second.text, second.box_score) == (whole.lines[1].text, 1)
    with Image.open(path) as photo:
        left, top, right, bottom = map(int, (*found.boxes[1, 0], *found.boxes[1, 2]))
        strip = photo.crop((left, top, right, bottom)).rotate(90, expand=True)
    (line,) = client.recognize(strip).lines
    assert line.text.replace(" ", "") == "OPENTODAY"


def test_arrays_pillow_images_and_files_read_the_same(client):
    path = SAMPLES / "photo_exif.jpg"
    with Image.open(path) as photo:
        rgb = np.asarray(ImageOps.exif_transpose(photo).convert("RGB"))
        result = client.read(photo)
    assert result.lines
    assert result == client.read(rgb, colour="RGB") == client.read(rgb[..., ::-1], colour="BGR")
    with path.open("rb") as file:
        assert [line.text for line in client.read(file).lines] == [
            line.text for line in result.lines
        ]
    assert result.size == client.read(path).size == rgb.shape[1::-1]


def test_many_pictures_in_order_and_as_they_come(client):
    pictures = [SIGN, b"x", SAMPLES / "missing.jpg"] * 2
    ordered = list(client.read_many(pictures, concurrency=3))
    assert [reading.index for reading in ordered] == list(range(6))
    assert [bool(reading.error) for reading in ordered] == [False, True, True] * 2
    assert ordered[0].result == ordered[3].result
    anyhow = list(client.read_many(pictures, concurrency=3, ordered=False))
    assert sorted(reading.index for reading in anyhow) == list(range(6))


def test_a_server_says_what_it_serves(client):
    info = client.server_info()
    assert info.name == "triton"
    assert {"ocr", "detect", "recognize", "det", "rec"} <= set(info.models)
    assert info.models["ocr"] == ("1",)
    assert info.limits["max_image_bytes"] == 32 * 2**20
    assert info.defaults["det_limit_side_len"] == "960"
    assert (info.recognizer, info.classes) == ("PP-OCRv4_mobile_rec", 6625)
    assert info.languages == ("ch", "en")
    assert info.parameters["recognize"]["rec_height"] == "48"

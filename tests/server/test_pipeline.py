"""The served pipeline, asked over gRPC and HTTP as any Triton client asks."""

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
import tritonclient.grpc as grpcclient
import tritonclient.http as httpclient
from paths import SAMPLES
from server_unit.stand_ins import sent
from tritonclient.utils import InferenceServerException

from ppocr_client import OcrClient
from ppocr_converters.pictures.render import render_page
from ppocr_converters.repository.configuration import served_pipeline
from ppocr_engine.config_pbtxt import read_config
from ppocr_engine.spec import EngineSpec
from ppocr_pipeline.decode import decode_image

NO_TEXT = (SAMPLES / "landscape.jpg").read_bytes()
POSTER = (SAMPLES / "poster_zh.jpg").read_bytes()
WORDS = ("WORDS", "WORD_BOXES", "WORD_SCORES", "WORD_LINES")
OUTPUTS = {
    "ocr": ("BOXES", "TEXTS", "SCORES", "BOX_SCORES", "WARNINGS", "ANGLE", *WORDS),
    "detect": ("BOXES", "BOX_SCORES", "WARNINGS"),
}
pytestmark = pytest.mark.server


def image(data: bytes) -> dict[str, np.ndarray]:
    return {"IMAGE": np.array([data], np.object_)}


def ask(client, data: bytes, model: str = "ocr", **parameters):
    """The output arrays of one picture by tensor name."""
    module = grpcclient if isinstance(client, grpcclient.InferenceServerClient) else httpclient
    answer = client.infer(model, sent(image(data), module), parameters=parameters or None)
    return {name: answer.as_numpy(name) for name in OUTPUTS[model]}


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_every_sample_reads_as_it_was_written(server, samples, protocol):
    url = server.grpc_url if protocol == "grpc" else server.http_url
    with OcrClient(f"{protocol}://{url}") as client:
        for name, texts in samples.items():
            result = client.read(SAMPLES / name)
            read = [line.text.replace(" ", "") for line in result.lines]
            assert read == [text.replace(" ", "") for text in texts], name


def test_no_text_is_an_ordinary_answer(grpc, http):
    for client in (grpc, http):
        answer = ask(client, NO_TEXT)
        assert answer["BOXES"].shape == (0, 4, 2)
        assert answer.pop("ANGLE").tolist() == [0]
        assert {len(array) for array in answer.values()} == {0}


def test_the_interface_is_the_documented_one(grpc):
    described = grpc.get_model_metadata("ocr", as_json=True)
    shapes = {
        tensor["name"]: (tensor["datatype"], [int(size) for size in tensor["shape"]])
        for tensor in described["inputs"] + described["outputs"]
    }
    assert shapes == {
        "IMAGE": ("BYTES", [1]),
        "BOXES": ("FP32", [-1, 4, 2]),
        "TEXTS": ("BYTES", [-1]),
        "SCORES": ("FP32", [-1]),
        "BOX_SCORES": ("FP32", [-1]),
        "WARNINGS": ("BYTES", [-1]),
        "ANGLE": ("INT32", [1]),
        "WORDS": ("BYTES", [-1]),
        "WORD_BOXES": ("FP32", [-1, 4, 2]),
        "WORD_SCORES": ("FP32", [-1]),
        "WORD_LINES": ("INT32", [-1]),
    }


def test_detect_gives_the_boxes_alone(grpc):
    found, whole = ask(grpc, POSTER, "detect"), ask(grpc, POSTER, "ocr", drop_score=0)
    assert np.array_equal(found["BOXES"], whole["BOXES"])
    assert np.array_equal(found["BOX_SCORES"], whole["BOX_SCORES"])


@pytest.mark.parametrize("count", [0, 1, 70, pytest.param(500, marks=pytest.mark.nightly)])
def test_any_number_of_boxes_is_read(grpc, count):
    data = (SAMPLES / "receipt_en.jpg").read_bytes()
    box = ask(grpc, data)["BOXES"][:1]
    boxes = np.repeat(box, count, axis=0)
    answer = grpc.infer("recognize", sent({**image(data), "BOXES": boxes}))
    texts = answer.as_numpy("TEXTS")
    assert texts.shape == (count,)
    assert len(set(texts.tolist())) == min(count, 1)


def test_a_picture_without_boxes_given_is_one_line(grpc):
    page = render_page(seed=3, lines=1)
    (truth,) = page.lines
    left, top = truth.box.min(axis=0).astype(int) - 4
    right, bottom = truth.box.max(axis=0).astype(int) + 4
    line = np.ascontiguousarray(page.image[max(top, 0) : bottom, max(left, 0) : right])
    answer = grpc.infer("recognize", sent({"PIXELS": line}))
    (text,) = answer.as_numpy("TEXTS")
    assert text.decode().replace(" ", "") == truth.text.replace(" ", "")
    height, width = line.shape[:2]
    assert answer.as_numpy("BOXES").tolist() == [[[0, 0], [width, 0], [width, height], [0, height]]]


@pytest.mark.parametrize(
    ("data", "options", "reason"),
    [
        (b"", {}, "IMAGE is empty"),
        (b"no picture at all", {}, "IMAGE cannot be decoded: 17 bytes"),
        (POSTER[:5000], {}, "damaged or truncated JPEG of 5000"),
        (POSTER, {"det_db_tresh": "0.3"}, "option 'det_db_tresh'; did you mean 'det_db_thresh'"),
        (POSTER, {"drop_score": "1.5"}, "drop_score is '1.5'; allowed: a number from 0 to 1"),
        (POSTER, {"det_limit_side_len": 0}, "det_limit_side_len is 0; allowed: a whole number fr"),
    ],
)
def test_a_bad_request_gets_its_reason_and_harms_nobody(grpc, http, samples, data, options, reason):
    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(ask, grpc, POSTER) for _ in range(4)]
        for client in (grpc, http):
            with pytest.raises(InferenceServerException, match=reason) as refused:
                ask(client, data, **options)
            assert refused.value.status() in ("StatusCode.INVALID_ARGUMENT", "400")
        for answer in answers:
            texts = [text.decode() for text in answer.result()["TEXTS"]]
            assert texts == samples["poster_zh.jpg"]


def test_tritons_timeout_is_heeded_in_the_queue(grpc, http):
    for module, client in ((grpcclient, grpc), (httpclient, http)):
        with pytest.raises(InferenceServerException, match="Request timeout expired"):
            client.infer("ocr", sent(image(NO_TEXT), module), timeout=1)
        client.infer("ocr", sent(image(NO_TEXT), module), timeout=60_000_000)


def test_pixels_and_image_together_are_refused(grpc):
    pixels = np.zeros((48, 100, 3), np.uint8)
    both = sent({"PIXELS": pixels, **image(b"x")})
    with pytest.raises(InferenceServerException, match="exactly one of them"):
        grpc.infer("recognize", both)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"rec_padding": "paddle", "reference": "paddle_serving"},
        {"return_words": True},
        {"return_words": True, "rec_padding": "paddle"},
    ],
)
def test_the_pipeline_in_one_process_reads_what_is_served(repository, server, samples, options):
    networks = {}
    for folder in (repository / name for name in ("det", "rec", "cls")):
        spec = EngineSpec.read(read_config(folder / "config.pbtxt"))
        assert spec is not None
        networks[folder.name] = spec.open(folder / "1" / "model.onnx")
    pipeline = served_pipeline(repository, networks)
    with OcrClient(f"grpc://{server.grpc_url}") as client:
        upright = [decode_image((SAMPLES / name).read_bytes()) for name in samples]
        turned = np.ascontiguousarray(np.rot90(upright[0]))
        for pixels in (*upright, turned):
            served = client.read(cv2.imencode(".png", pixels)[1].tobytes(), **options).lines
            here = pipeline.read(pixels, options)
            for line, other in zip(here, served, strict=True):
                assert (line.text, line.box.tolist()) == (other.text, other.box.tolist())
                for score, same in (line.score, other.score), (line.box_score, other.box_score):
                    assert np.float32(score) == np.float32(same)
                assert len(line.words) == len(other.words) > 0 or "return_words" not in options
                for word, twin in zip(line.words, other.words, strict=True):
                    assert (word.text, word.box.tolist()) == (twin.text, twin.box.tolist())
                    assert np.float32(word.score) == np.float32(twin.score)

"""Every line is shown to the direction classifier, as by PaddleOCR's `use_angle_cls`."""

import cv2
import numpy as np
import pytest
import tritonclient.grpc as grpcclient
from paths import SAMPLES
from server_unit.stand_ins import sent

from ppocr_client.options import ReadOptions
from ppocr_engine.config_pbtxt import read_config

pytestmark = pytest.mark.server
PICTURES = ("poster_zh.jpg", "receipt_en.jpg", "form_mixed.png")
EVERY: ReadOptions = {"use_angle_cls": True}
AS_PADDLE: ReadOptions = {"use_angle_cls": True, "rec_padding": "paddle"}


def turned(name: str) -> bytes:
    """A sample upside down, without loss."""
    pixels = cv2.imread(str(SAMPLES / name))
    return cv2.imencode(".png", cv2.rotate(pixels, cv2.ROTATE_180))[1].tobytes()


def texts(result) -> list[str]:
    return [line.text.replace(" ", "") for line in result.lines]


@pytest.mark.parametrize("name", PICTURES)
def test_samples_upside_down_read_right(client, samples, name):
    expected = sorted("".join(samples[name]).replace(" ", ""))
    # The other way round the detector may part a line in two: it is the characters that count.
    read = texts(client.read(turned(name), **AS_PADDLE))
    assert sorted("".join(read)) == expected


@pytest.mark.parametrize("name", PICTURES)
def test_upright_samples_read_as_before(client, samples, name):
    upright = (SAMPLES / name).read_bytes()
    assert texts(client.read(upright, **EVERY)) == [text.replace(" ", "") for text in samples[name]]


def test_a_request_can_do_without(client, samples):
    name = PICTURES[0]
    left = client.read(turned(name), orientation="off", drop_score=0)
    assert not set(texts(left)) & {text.replace(" ", "") for text in samples[name]}
    # A threshold that nothing exceeds turns nothing.
    assert texts(
        client.read(turned(name), use_angle_cls=True, cls_thresh=1, drop_score=0)
    ) == texts(left)


def test_text_depends_on_its_crop_alone(server, client):
    """One crop upside down among others, in any place of the batch, alone or with 20 more."""
    pixels = cv2.imread(str(SAMPLES / PICTURES[0]))
    box = client.read(cv2.imencode(".png", pixels)[1].tobytes()).lines[0].box
    upside_down = box[[2, 3, 0, 1]]  # clockwise from what is the bottom right of the text

    def read(boxes: list[np.ndarray]) -> list[tuple[bytes, float]]:
        inputs = sent({"PIXELS": pixels, "BOXES": np.stack(boxes)})
        with grpcclient.InferenceServerClient(server.grpc_url) as triton:
            answer = triton.infer("recognize", inputs, parameters={"drop_score": "0", **EVERY})
        return list(zip(answer.as_numpy("TEXTS"), answer.as_numpy("SCORES"), strict=True))

    (alone,) = read([upside_down])
    many = read([box] * 7 + [upside_down] + [box] * 13)
    assert many[7] == alone
    assert {text for text, _ in many} == {alone[0]}


def test_the_configuration_says_what_the_classifier_takes(repository):
    parameters = read_config(repository / "recognize" / "config.pbtxt").parameters
    written = [parameters[f"cls_{name}"].string_value for name in ("height", "width", "resize")]
    assert written == ["48", "192", "pad"]
    (crops, widths) = read_config(repository / "cls" / "config.pbtxt").input
    assert list(crops.dims) == [48, 192, 3]
    assert list(widths.dims) == [1]

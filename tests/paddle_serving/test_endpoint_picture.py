"""Which requests carry a picture, and what is answered to the others."""

import base64
import io
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import cv2
import numpy as np
import pytest

from ppocr_server.paddle_serving.picture import picture_of
from ppocr_server.paddle_serving.pipeline_service_pb2 import Request, Tensor
from ppocr_server.paddle_serving.protocol import ErrNo, PipelineError

PICTURE = bytes(range(256)) * 3
TEXT = base64.b64encode(PICTURE).decode()
LIMIT = 1 << 20
HUGE = np.zeros((3400, 3400, 3), np.uint8)
URL_SAFE = base64.urlsafe_b64encode(PICTURE).decode()
SPELLINGS = (
    URL_SAFE,
    URL_SAFE.rstrip("="),
    TEXT.replace("+", " "),
    f"data:image/jpeg;base64,{TEXT}",
    f"data:image/png;base64, {URL_SAFE}",
    f"base64,{TEXT}",
    f'"{TEXT}"',
    quote(TEXT),
    base64.encodebytes(PICTURE).decode().replace("\n", " "),
    base64.encodebytes(PICTURE).decode().replace("\n", "\r\n"),
)


def sent(key: Sequence[str] = (), value: Sequence[str] = (), tensors: Sequence[Any] = ()) -> Any:
    return Request(key=key, value=value, tensors=tensors)


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def text_tensor(*parts: str) -> Tensor:
    return Tensor(name="image", elem_type=12, str_data=parts)


def number_tensor(values: list[int], *shape: int) -> Tensor:
    return Tensor(name="image", elem_type=7, shape=shape, uint32_data=values)


def byte_tensor(data: bytes) -> Tensor:
    return Tensor(name="image", elem_type=13, byte_data=data)


@pytest.mark.parametrize(
    "call",
    [
        sent(["image"], [TEXT]),
        sent(["anything"], [TEXT]),
        sent(["image"], [TEXT, "not looked at"]),
        sent(["image", "image"], ["the last one counts", TEXT]),
        sent(["image", "pipeline.profile"], [TEXT, "1"]),
        sent(["image"], [base64.encodebytes(PICTURE).decode()]),
        sent(["image"], [f" *{TEXT}\n"]),
        *(sent(["image"], [text]) for text in SPELLINGS),
        sent(tensors=[text_tensor(TEXT[:9], TEXT[9:])]),
        sent(tensors=[byte_tensor(PICTURE)]),
        sent(tensors=[byte_tensor(npy(np.frombuffer(PICTURE, np.uint8)))]),
        sent(tensors=[byte_tensor(npy(np.array([PICTURE])))]),
        sent(["image"], ["replaced by the tensor"], [text_tensor(TEXT)]),
    ],
)
def test_the_picture_arrives(call):
    assert picture_of(call, LIMIT) == PICTURE


@pytest.mark.parametrize("size", [1000, 1001, 1002])
def test_base64_is_measured_to_the_byte_before_it_is_decoded(size):
    for text in (base64.b64encode(bytes(size)), base64.encodebytes(bytes(size))):
        call = sent(["image"], [text.decode()])
        assert len(picture_of(call, size)) == size
        with pytest.raises(PipelineError, match=f"has {size} bytes; at most {size - 1} are"):
            picture_of(call, size - 1)


@pytest.mark.parametrize("width", [1, 2, 3, 4, 61])
def test_pixels_arrive_as_they_are(width):
    pixels = np.random.default_rng(0).integers(0, 256, (5, width, 3), np.uint8)
    as_numbers = number_tensor(pixels.flatten().tolist(), *pixels.shape)
    for tensor in (byte_tensor(npy(pixels)), as_numbers):
        picture = np.frombuffer(picture_of(sent(tensors=[tensor]), LIMIT), np.uint8)
        assert np.array_equal(cv2.imdecode(picture, 1), pixels)


@pytest.mark.parametrize(
    ("call", "err_no", "words"),
    [
        (sent(), ErrNo.UNKNOWN, "0 pictures"),
        (sent(value=[TEXT]), ErrNo.UNKNOWN, "0 pictures"),
        (sent(["a", "b"], [TEXT, TEXT]), ErrNo.UNKNOWN, "2 pictures"),
        (sent(["image"]), ErrNo.RPC_PACKAGE, "rpc package error: list index (0) out of range"),
        (sent(["a", "b"], [TEXT]), ErrNo.RPC_PACKAGE, "list index (1) out of range"),
        (sent(["image"], [""]), ErrNo.UNKNOWN, "empty"),
        (sent(["image"], ["中文"]), ErrNo.UNKNOWN, "is not base64"),
        (sent(["image"], ["abcde"]), ErrNo.UNKNOWN, "not base64"),
        (sent(["image"], [TEXT.rstrip("=") + "A"]), ErrNo.UNKNOWN, "not base64"),
        (sent(["image"], ["A" * 2 * LIMIT]), ErrNo.UNKNOWN, f"at most {LIMIT}"),
        (sent(tensors=[Tensor(name="i", elem_type=99)]), ErrNo.RPC_PACKAGE, "elem_type 99"),
        (sent(tensors=[Tensor(name="i", elem_type=1)]), ErrNo.RPC_PACKAGE, "elem_type 1"),
        (sent(tensors=[number_tensor([1, 2, 3], 2, 2)]), ErrNo.RPC_PACKAGE, "reshape"),
        (sent(tensors=[number_tensor([1, 2, 300], 1, 1, 3)]), ErrNo.RPC_PACKAGE, "above 255"),
        (sent(tensors=[number_tensor([1] * 4, 2, 2)]), ErrNo.UNKNOWN, "uint8 [2, 2]"),
        (sent(tensors=[byte_tensor(npy(np.zeros((2, 2, 3))))]), ErrNo.UNKNOWN, "float64"),
        (sent(tensors=[byte_tensor(npy(HUGE))]), ErrNo.UNKNOWN, f"at most {LIMIT}"),
        (sent(tensors=[byte_tensor(b"\x93NUMPY\x01\x00")]), ErrNo.RPC_PACKAGE, "not a .npy file"),
    ],
)
def test_what_is_no_picture_is_told_why(call, err_no, words):
    with pytest.raises(PipelineError, match=re.escape(words)) as caught:
        picture_of(call, LIMIT)
    assert caught.value.err_no == err_no


def test_a_pickle_is_never_opened():
    file = io.BytesIO()
    np.save(file, np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(PipelineError) as caught:
        picture_of(sent(tensors=[byte_tensor(file.getvalue())]), LIMIT)
    assert caught.value.err_no == ErrNo.RPC_PACKAGE

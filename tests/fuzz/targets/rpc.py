"""Any message of the gRPC endpoint is answered with an error number of the old service's."""

import ast
import asyncio
import base64
import io
from collections.abc import Iterator, Sequence
from random import Random
from types import SimpleNamespace
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from ppocr_server.paddle_serving.pipeline_service_pb2 import Request, Response, Tensor
from ppocr_server.paddle_serving.protocol import ErrNo
from ppocr_server.paddle_serving.rpc import SERVICE as NAME
from ppocr_server.paddle_serving.rpc import _handlers
from ppocr_server.paddle_serving.service import PipelineService
from ppocr_server.paddle_serving.settings import EndpointSettings

from ..mutate import EDGES, mutate_bytes, mutate_list

LOOP = asyncio.new_event_loop()
SETTINGS = EndpointSettings(max_picture_bytes=1 << 12, max_message_bytes=1 << 24)
# What can be wrong with a request; the others tell of a service that stops, is busy or has failed.
NUMBERS = {ErrNo.OK, ErrNo.NO_SERVICE, ErrNo.RPC_PACKAGE, ErrNo.UNKNOWN}
NUMERIC = ("int64_data", "float_data", "int_data", "float64_data", "uint32_data", "bool_data")


async def read(picture: bytes, request_id: str) -> str:
    """Stands for Triton, which must be sent a picture of an allowed size."""
    assert 0 < len(picture) <= SETTINGS.max_picture_bytes
    assert request_id
    return "[]"


SERVICE = PipelineService(SETTINGS, read)
METHOD: Any = _handlers(SERVICE).service(
    SimpleNamespace(method=f"/{NAME}/inference", invocation_metadata=())
)


def one_input(data: bytes) -> None:
    """Answer one message."""
    try:
        request = METHOD.request_deserializer(data)
    except DecodeError:
        return  # gRPC itself answers
    message = LOOP.run_until_complete(METHOD.unary_unary(request, None))
    answer = Response.FromString(METHOD.response_serializer(message))
    check(answer.err_no, answer.err_msg, answer.value)


def check(err_no: int, err_msg: str, value: Sequence[str]) -> None:
    """See that an answer is one result, or a number with a reason."""
    assert err_no in NUMBERS, err_msg
    if err_no == ErrNo.OK:
        assert [ast.literal_eval(text) for text in value] == [[]]
    else:
        assert err_msg
        assert len(err_msg) < 10 * SETTINGS.max_picture_bytes
        assert not value


def seeds() -> Iterator[bytes]:
    """A picture as text, and as every kind of tensor."""
    encoded = base64.b64encode(b"a picture").decode()
    yield Request(
        key=["image"], value=[encoded], name="ocr", method="prediction"
    ).SerializeToString()
    for tensor in tensors():
        yield Request(tensors=[tensor], logid=5, clientip="::1").SerializeToString()
    yield Request(key=["a", "b"], value=[encoded]).SerializeToString()


def tensors() -> Iterator[Any]:
    """Pixels as numbers, as bytes and as a .npy file; a file, and base64."""
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    numbers = pixels.ravel().tolist()
    yield Tensor(name="image", elem_type=7, shape=[2, 4, 3], uint32_data=numbers)
    yield Tensor(name="image", elem_type=7, shape=[-1, 4, 3], byte_data=pixels.tobytes())
    yield Tensor(name="image", elem_type=12, str_data=["YSBwaWN0dXJl"])
    yield Tensor(name="image", elem_type=13, byte_data=b"a picture")
    for array in (pixels, pixels.ravel(), np.array(b"a picture"), pixels.astype(np.float16)):
        for version in ((1, 0), (2, 0), (3, 0)):
            yield Tensor(name="image", elem_type=13, byte_data=npy(array, version))


def npy(array: np.ndarray, version: tuple[int, int] = (1, 0)) -> bytes:
    """An array as a .npy file."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, version)
    return buffer.getvalue()


def mutate(data: bytes, random: Random) -> bytes:
    """Change fields of the message, or its bytes."""
    try:
        request = Request.FromString(data)
    except DecodeError:
        return mutate_bytes(data, random)
    if random.random() < 0.2:
        return mutate_bytes(data, random)
    if request.tensors and random.random() < 0.9:
        _change_tensor(random.choice(request.tensors), random)
    else:
        field = random.choice((request.key, request.value))
        field[:] = mutate_list(list(field), random, lambda text: _text(text, random))
    if random.random() < 0.1:
        request.tensors.add().CopyFrom(random.choice(list(tensors())))
    return bytes(request.SerializeToString())


def _text(text: str, random: Random) -> str:
    return mutate_bytes(text.encode(), random).decode("utf-8", "replace")


def _change_tensor(tensor: Any, random: Random) -> None:
    kind = random.randrange(6)
    if kind == 0:
        tensor.elem_type = random.choice((-1, 0, 7, 12, 13, 14, 2**31 - 1))
    elif kind == 1:
        edges = [edge for edge in EDGES if edge < 2**31]
        tensor.shape[:] = mutate_list(
            list(tensor.shape) or [1], random, lambda _: random.choice((-1, *edges))
        )
    elif kind == 2:
        getattr(tensor, random.choice(NUMERIC)).append(random.choice((0, 1, 255, 256)))
    elif kind == 3 and tensor.byte_data.startswith(b"\x93NUMPY"):
        tensor.byte_data = _change_npy(tensor.byte_data, random)
    elif kind == 4:
        tensor.name = _text(tensor.name, random)
    else:
        tensor.byte_data = mutate_bytes(tensor.byte_data, random)


HEADERS = """
(2,4,3);(8,3);(24,);();(-1,);(0,1,3);(99999999999999,);(4611686018427387904,2);(1,)*99;{};(1e9,)
|u1;|u1;|S24;|O;<f8;|S9;|V99999999;(2,3)u1;[('a','u1')];x;<M8[s];<U9
"""
SHAPES, DTYPES = (line.split(";") for line in HEADERS.strip().splitlines())


def _change_npy(data: bytes, random: Random) -> bytes:
    """A .npy file with another shape and type in its header."""
    version = random.choice(((1, 0), (1, 0), (2, 0), (3, 0), (9, 9)))
    shape, dtype = random.choice(SHAPES), random.choice(DTYPES)
    text = f"{{'descr': {dtype!r}, 'fortran_order': {random.random() < 0.3}, 'shape': {shape}, }}\n"
    if random.random() < 0.3:
        text = mutate_bytes(text.encode(), random).decode("latin-1")
    size = len(text).to_bytes(2 if version[0] == 1 else 4, "little")
    return data[:6] + bytes(version) + size + text.encode("latin-1", "replace") + data[-24:]

"""The one picture of a request: base64 text, pixels, or an encoded file."""

from __future__ import annotations

import base64
import binascii
import io
import math
from collections.abc import Iterator
from tokenize import TokenError
from typing import Any

import numpy as np

from ppocr_client.documents.pictures import bmp_of
from ppocr_pipeline.formats.base64_text import standard
from ppocr_server.paddle_serving.protocol import ONE_PICTURE, PROFILE_KEY, ErrNo, PipelineError

# Numbers of elem_type.
UINT8, STRING, BYTES = 7, 12, 13
NPY_MAGIC = b"\x93NUMPY"
NPY: Any = np.lib.format  # which is untyped
NPY_HEADERS = {(1, 0): NPY.read_array_header_1_0, (2, 0): NPY.read_array_header_2_0}
# NumPy parses the header as Python source, which raises all of these.
NPY_ERRORS = (LookupError, OverflowError, SyntaxError, TokenError, TypeError, ValueError)

SEND_BASE64 = "send the base64 of the image file"


def picture_of(call: Any, max_bytes: int) -> bytes:
    """Return the encoded picture that a request carries.

    As in Paddle Serving, the names of the keys do not matter, the last value of a repeated key
    counts, and a tensor replaces a key of the same name.

    Args:
        call: the request, a `Request`.
        max_bytes: of a picture; larger ones are refused before decoding.

    Returns:
        A whole picture file. Pixels sent as a tensor become a BMP: to pack them takes seconds.

    Raises:
        PipelineError: 8000 if the request cannot be unpacked; 10000 if it holds no picture or more
            than one, or if its base64 is damaged.
    """
    sources = dict(_sources(call))
    sources.pop(PROFILE_KEY, None)
    if len(sources) != 1:
        raise PipelineError(
            ErrNo.UNKNOWN,
            f"the request holds {len(sources)} pictures; send one, as {ONE_PICTURE}",
        )
    ((name, source),) = sources.items()
    picture = _from_base64(name, source, max_bytes) if isinstance(source, str) else source
    if not picture:
        reason = "is not base64" if source else "is empty"
        raise PipelineError(ErrNo.UNKNOWN, f"the value of '{name}' {reason}; {SEND_BASE64}")
    _check_size(name, len(picture), max_bytes)
    return picture


def _sources(call: Any) -> Iterator[tuple[str, str | bytes]]:
    for index, key in enumerate(call.key):
        if index >= len(call.value):
            # Paddle Serving's exact text, because clients may compare it.
            raise PipelineError(
                ErrNo.RPC_PACKAGE, f"rpc package error: list index ({index}) out of range"
            )
        yield key, call.value[index]
    for tensor in call.tensors:
        yield tensor.name, _from_tensor(tensor)


def _from_base64(name: str, text: str, max_bytes: int) -> bytes:
    text = standard(text)
    # The size before decoding: four characters are three bytes, line breaks do not count.
    length = len(text) - text.count("\n") - text.count("\r")
    _check_size(name, length * 3 // 4 - text[-4:].count("="), max_bytes)
    try:
        # As in Paddle Serving, characters outside the alphabet are skipped, line breaks included.
        return base64.b64decode(text.encode())
    except binascii.Error as error:
        raise PipelineError(
            ErrNo.UNKNOWN,
            f"the value of '{name}' is not base64 ({error}); {SEND_BASE64}",
        ) from None


def _check_size(name: str, size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise PipelineError(
            ErrNo.UNKNOWN,
            f"the picture '{name}' has {size} bytes; at most {max_bytes} are allowed",
        )


def _from_tensor(tensor: Any) -> str | bytes:
    """The picture in a tensor: text is base64, an array is pixels, bytes are a file."""
    if tensor.elem_type == STRING:
        return "".join(tensor.str_data)
    if tensor.elem_type == UINT8:
        return _from_pixels(tensor.name, _uint8_array(tensor))
    if tensor.elem_type == BYTES:
        data = bytes(tensor.byte_data)
        return _from_npy(tensor.name, data) if data.startswith(NPY_MAGIC) else data
    raise PipelineError(
        ErrNo.RPC_PACKAGE,
        f"rpc package error: tensor '{tensor.name}' has elem_type {tensor.elem_type}, which is no "
        f"picture; send {UINT8} (UINT8, shape [H, W, 3]), {BYTES} (BYTES) or {STRING} (STRING)",
    )


def _uint8_array(tensor: Any) -> np.ndarray:
    # Clients put UINT8 into `uint32_data`; a byte string is shorter.
    try:
        values = np.asarray(tensor.uint32_data, np.int64)
        flat = values.astype(np.uint8) if len(values) else np.frombuffer(tensor.byte_data, np.uint8)
        if len(values) and not np.array_equal(flat, values):
            raise ValueError("values above 255")
        return flat.reshape(tuple(tensor.shape))
    except ValueError as error:
        raise PipelineError(
            ErrNo.RPC_PACKAGE, f"rpc package error: tensor '{tensor.name}': {error}"
        ) from None


def _from_npy(name: str, data: bytes) -> bytes:
    stream = io.BytesIO(data)
    try:
        shape, by_column, dtype = NPY_HEADERS[NPY.read_magic(stream)](stream)
        # `np.load` would allocate memory for the shape before it notices that pixels are missing.
        flat = np.frombuffer(data, dtype, math.prod(shape), stream.tell())
        array = flat.reshape(shape, order="F" if by_column else "C")
    except NPY_ERRORS as error:
        raise PipelineError(
            ErrNo.RPC_PACKAGE,
            f"rpc package error: tensor '{name}' is not a .npy file of version 1.0 or 2.0: {error}",
        ) from None
    if array.dtype.kind == "S" and array.size == 1:
        return bytes(array.item())
    return _from_pixels(name, array)


def _from_pixels(name: str, array: np.ndarray) -> bytes:
    """Pixels as a file; a row of bytes is one already."""
    if array.dtype == np.uint8 and array.ndim == 1:
        return array.tobytes()
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        raise PipelineError(
            ErrNo.UNKNOWN,
            f"tensor '{name}' is {array.dtype} {list(array.shape)}; "
            "send uint8 [H, W, 3] in BGR order, or a uint8 row that is an image file",
        )
    return bmp_of(array)

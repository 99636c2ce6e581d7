"""Reading the binary answer of a raw request."""

import json
import struct
from typing import Any

import numpy as np
import pytest

from ppocr_server.decode_response import decode_answer
from ppocr_server.errors import ServerError


def body(*tensors: tuple[str, str, list[int], bytes]) -> bytes:
    outputs = [
        {
            "name": name,
            "datatype": kind,
            "shape": shape,
            "parameters": {"binary_data_size": len(data)},
        }
        for name, kind, shape, data in tensors
    ]
    return json.dumps({"outputs": outputs}).encode() + b"".join(item[3] for item in tensors)


def texts(*values: str) -> bytes:
    return b"".join(struct.pack("<I", len(v.encode())) + v.encode() for v in values)


def test_numbers_and_texts() -> None:
    scores = np.array([0.1, 0.25], "<f4").tobytes()
    answer = decode_answer(
        body(("TEXTS", "BYTES", [2], texts("运费", '"a"')), ("SCORES", "FP32", [2], scores))
    )
    assert answer == {"TEXTS": ["运费", '"a"'], "SCORES": [0.1, 0.25]}


def test_no_lines() -> None:
    answer = decode_answer(body(("BOXES", "FP32", [0, 4, 2], b""), ("TEXTS", "BYTES", [0], b"")))
    assert answer == {"BOXES": [], "TEXTS": []}


def test_a_text_that_looks_like_json_does_not_end_the_header() -> None:
    assert decode_answer(body(("T", "BYTES", [1], texts('}{"x": 1}'))))["T"] == ['}{"x": 1}']


def test_an_error_is_returned_as_it_is() -> None:
    error: dict[str, Any] = {"error": "IMAGE cannot be decoded"}
    assert decode_answer(json.dumps(error).encode()) == error


def test_what_is_no_answer() -> None:
    with pytest.raises(ServerError, match="not a whole answer of Triton"):
        decode_answer(b"<html>")
    with pytest.raises(ServerError, match="cut short: SCORES should have 8 bytes, 3"):
        decode_answer(body(("SCORES", "FP32", [2], bytes(8)))[:-5])

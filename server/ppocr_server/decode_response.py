"""Decode the body of a raw `/infer` answer: a JSON header followed by binary tensors.

Triton always answers a request whose body is the bare picture (`curl --data-binary`) in this form.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from tritonclient.utils import deserialize_bytes_tensor, triton_to_np_dtype

from ppocr_server.errors import ServerError

DECIMALS = 6


def decode_answer(body: bytes) -> dict[str, Any]:
    """Return the outputs of an answer by name, nested lists of numbers or strings.

    Fractions are rounded to six decimals. An error (`{"error": ...}`) is returned unchanged.

    Args:
        body: the whole HTTP body.

    Raises:
        ServerError: the body is not an answer of Triton, or is cut short.
    """
    try:
        # Latin-1 maps every byte to one character, so the header's end is a byte position.
        _, end = json.JSONDecoder().raw_decode(body.decode("latin-1"))
        header = json.loads(body[:end])
    except ValueError as error:
        raise ServerError(f"not a whole answer of Triton: it begins with {body[:40]!r}") from error
    if "outputs" not in header:
        return dict(header)
    outputs: dict[str, Any] = {}
    for tensor in header["outputs"]:
        if "data" in tensor:
            outputs[tensor["name"]] = tensor["data"]
            continue
        size = tensor["parameters"]["binary_data_size"]
        chunk, end = body[end : end + size], end + size
        if len(chunk) != size:
            raise ServerError(
                f"the answer is cut short: {tensor['name']} should have {size} bytes, "
                f"{len(chunk)} are left"
            )
        outputs[tensor["name"]] = _decode_tensor(chunk, tensor["datatype"], tensor["shape"])
    return outputs


def _decode_tensor(chunk: bytes, datatype: str, shape: list[int]) -> Any:
    if datatype == "BYTES":
        texts = [text.decode("utf-8", errors="replace") for text in deserialize_bytes_tensor(chunk)]
        return np.array(texts, dtype=object).reshape(shape).tolist()
    array = np.frombuffer(chunk, triton_to_np_dtype(datatype)).reshape(shape)
    # Converted and rounded, because a float32 shows false digits as a float64.
    if array.dtype.kind == "f":
        array = array.astype(np.float64).round(DECIMALS)
    return array.tolist()

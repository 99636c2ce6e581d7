"""Parse JSON bodies as Paddle Serving's HTTP gateway does, and write answers as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format

from ppocr_server.paddle_serving.pipeline_service_pb2 import Request, Tensor
from ppocr_server.paddle_serving.protocol import ONE_PICTURE, Answer

# Numbers of gRPC's status codes.
INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNAUTHENTICATED = 3, 8, 16
WHITE = " \t\r\n"
_INTEGER = re.compile(r"-?\d{1,19}")
# The gateway escapes these, so that an answer is safe inside a web page.
_ESCAPED = str.maketrans({char: f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"})


class BodyError(ValueError):
    """A body that is not the JSON of a request."""


def call_of_body(body: bytes, name: str, method: str) -> Any:
    """The `Request` that a body describes.

    As in the old gateway, an empty body is a request without fields, `null` is an absent field,
    unknown fields and anything after the object are ignored, and bytes that are not UTF-8 become
    replacement characters.

    Args:
        body: the whole HTTP body.
        name: first part of the path; it overrides the body's.
        method: second part of the path; it overrides the body's.

    Raises:
        BodyError: not JSON, or a field of another type.
    """
    text = body.decode("utf-8", errors="replace").lstrip(WHITE)
    try:
        fields = json.JSONDecoder(parse_constant=_no_constant).raw_decode(text)[0] if text else None
    except (ValueError, RecursionError) as error:
        raise BodyError(f"the body is not JSON: {error}; send {ONE_PICTURE}") from None
    fields = {} if fields is None else fields
    if not isinstance(fields, dict):
        raise BodyError(f"the body is no JSON object; send {ONE_PICTURE}")
    for each in ("key", "value", "tensors"):
        if not isinstance(fields.get(each, []), list | None):
            raise BodyError(f"{each!r} is no JSON array; send {ONE_PICTURE}")
    try:
        return Request(
            # Not the whole by `json_format`: it takes 40 ms to look at a picture of a megabyte.
            key=[_string(one, "key") for one in fields.get("key") or ()],
            value=[_string(one, "value") for one in fields.get("value") or ()],
            tensors=[_tensor(one) for one in fields.get("tensors") or ()],
            name=name,
            method=method,
            logid=_integer(fields.get("logid")),
            clientip=_string(fields.get("clientip"), "clientip"),
        )
    except (json_format.ParseError, AttributeError, TypeError, ValueError) as error:
        raise BodyError(f"a field is of another type: {error}; send {ONE_PICTURE}") from None


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")


def _string(value: Any, name: str) -> str:
    if not isinstance(value, str | None):
        raise TypeError(f"{name!r} holds {value!r:.40}, which is no string")
    # JSON can contain half a surrogate pair, which cannot be encoded in UTF-8.
    value = value or ""
    return value if value.isascii() else value.encode("utf-8", errors="replace").decode()


def _integer(value: Any) -> int:
    """`logid`: a whole number, or one in quotes."""
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | None):
        raise TypeError(f"'logid' is {value!r:.40}, which is no whole number")
    return value or 0


def _tensor(value: Any) -> Any:
    # A string or a list would pass as a tensor whose fields are all unknown.
    if not isinstance(value, dict):
        raise TypeError("'tensors' holds what is no JSON object")
    return json_format.ParseDict(value, Tensor(), ignore_unknown_fields=True)


def body_of_answer(answer: Answer) -> bytes:
    """An answer with the fields, order and spacing of the gateway."""
    return _compact({**vars(answer), "tensors": []})


def body_of_refusal(code: int, reason: str) -> bytes:
    """The body of an HTTP error; `code` is a gRPC status code."""
    return _compact({"error": reason, "code": code, "message": reason, "details": []})


def _compact(value: Mapping[str, Any]) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.translate(_ESCAPED).encode("utf-8", errors="replace")

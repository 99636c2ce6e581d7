"""Parse JSON bodies with the types of Paddle Serving's HTTP gateway, and write answers as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format

from ppocr_server.paddle_serving.pipeline_service_pb2 import Tensor
from ppocr_server.paddle_serving.protocol import ONE_PICTURE, Answer, Call

INT64 = range(-(2**63), 2**63)
# Numbers of gRPC's status codes.
INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNAUTHENTICATED = 3, 8, 16
WHITE = " \t\r\n"
_INTEGER = re.compile(r"-?\d{1,19}")
# The gateway escapes these, so that an answer is safe inside a web page.
_ESCAPED = str.maketrans({char: f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"})


class BodyError(ValueError):
    """A body that is not the JSON of a request."""


def call_of_body(body: bytes, name: str, method: str) -> Call:
    """Return the call that a body describes.

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
        fields = json.JSONDecoder(parse_constant=_no_constant).raw_decode(text)[0] if text else {}
    except (ValueError, RecursionError) as error:
        raise BodyError(f"the body is not JSON: {error}; send {ONE_PICTURE}") from None
    if fields is None:
        fields = {}
    if not isinstance(fields, dict):
        raise BodyError(f"the body is a JSON {_kind(fields)}; send {ONE_PICTURE}")
    return Call(
        key=_strings(fields, "key"),
        value=_strings(fields, "value"),
        tensors=[_tensor(item) for item in _list(fields, "tensors")],
        name=name,
        method=method,
        logid=_integer(fields.get("logid")),
        clientip=_string(fields.get("clientip"), "clientip"),
    )


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")


def _list(fields: Mapping[str, Any], name: str) -> list[Any]:
    value = fields.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise BodyError(f"'{name}' is a JSON {_kind(value)}; send an array")
    return value


def _strings(fields: Mapping[str, Any], name: str) -> list[str]:
    return [_string(item, f"{name}[{at}]") for at, item in enumerate(_list(fields, name))]


def _string(value: Any, name: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BodyError(f"'{name}' is a JSON {_kind(value)}; send a string")
    # JSON can contain half a surrogate pair, which cannot be encoded in UTF-8.
    return value if value.isascii() else value.encode("utf-8", errors="replace").decode()


def _integer(value: Any) -> int:
    """`logid`: a whole number, or one in quotes."""
    if value is None:
        return 0
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value not in INT64:
        raise BodyError(f"'logid' is {str(value)[:40]!r}; send a whole number of 64 bits")
    return value


def _tensor(value: Any) -> Any:
    # A string or a list would pass as a tensor whose fields are all unknown.
    if not isinstance(value, dict):
        raise BodyError(f"'tensors' holds a JSON {_kind(value)}; send objects")
    try:
        return json_format.ParseDict(value, Tensor(), ignore_unknown_fields=True)
    except (json_format.ParseError, AttributeError, TypeError) as error:
        raise BodyError(f"'tensors' holds something that is no tensor: {error}") from None


def _kind(value: Any) -> str:
    names = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}
    return names.get(type(value), "number")


def body_of_answer(answer: Answer) -> bytes:
    """An answer with the fields, order and spacing of the gateway."""
    return _compact({**vars(answer), "tensors": []})


def body_of_refusal(code: int, reason: str) -> bytes:
    """The body of an HTTP error; `code` is a gRPC status code."""
    return _compact({"error": reason, "code": code, "message": reason, "details": []})


def _compact(value: Mapping[str, Any]) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.translate(_ESCAPED).encode("utf-8", errors="replace")

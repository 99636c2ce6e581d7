"""Bodies that the old gateway takes and refuses; each was put to paddle-serving-server 0.9.0."""

import json
from typing import Any

import pytest
from cases import cases

from ppocr_server.paddle_serving.http.json_call import (
    BodyError,
    body_of_answer,
    body_of_refusal,
    call_of_body,
)
from ppocr_server.paddle_serving.protocol import Answer


def call(body: bytes | str) -> Any:
    return call_of_body(body.encode() if isinstance(body, str) else body, "ocr", "prediction")


def test_a_whole_request():
    got = call('{"key": ["image"], "value": ["YWI="], "logid": 7, "clientip": "10.0.0.1"}')
    assert (got.key, got.value, got.name, got.method) == (["image"], ["YWI="], "ocr", "prediction")
    assert (got.logid, got.clientip) == (7, "10.0.0.1")


@pytest.mark.parametrize("body", ["", " \n", "{}", "null", '{"key": null, "value": null}'])
def test_nothing_is_a_request_without_fields(body):
    got = call(body)
    assert (got.key, got.value, got.tensors, got.logid) == ([], [], [], 0)


@pytest.mark.parametrize(
    ("body", "keys"),
    [
        ('{"key": ["a"], "unknown": {"b": [1]}}', ["a"]),
        ('{"key": ["a"]} and more', ["a"]),
        ('{"key": ["a"], "name": "other", "method": "other"}', ["a"]),
        ('{"key": ["a"], "key": ["b"]}', ["b"]),
        ('{"key": [null]}', [""]),
        (b'{"key": ["\xff"]}', ["\ufffd"]),
        ('{"key": ["\\ud800"]}', ["?"]),
    ],
)
def test_what_the_gateway_lets_through(body, keys):
    assert call(body).key == keys


@pytest.mark.parametrize("logid", ["12", '"12"', "-3", "9223372036854775807"])
def test_logid_is_64_bits(logid):
    assert call(f'{{"logid": {logid}}}').logid == int(logid.strip('"'))


@pytest.mark.parametrize("body", [*cases(__file__)["refused"], "[" * 100_000])
def test_what_the_gateway_refuses(body):
    with pytest.raises(BodyError, match=r'\{"key": \["image"\], "value": '):
        call(body)


@pytest.mark.parametrize("field", ['"key": [1]', '"clientip": 5', '"logid": "x"', '"tensors": [5]'])
def test_a_refusal_names_the_field(field):
    with pytest.raises(BodyError, match=f"'{field.split(chr(34))[1]}'"):
        call(f"{{{field}}}")


@pytest.mark.parametrize("names", [("str_data", "elem_type"), ("strData", "elemType")])
def test_tensors(names):
    (tensor,) = call(
        json.dumps({"tensors": [{"name": "i", names[0]: ["x"], names[1]: 12}]})
    ).tensors
    assert (tensor.name, list(tensor.str_data), tensor.elem_type) == ("i", ["x"], 12)


def test_answers_are_the_gateways_bytes():
    assert (
        body_of_answer(Answer(key=("result",), value=("[('<b>&中\"', 1.0)]",)))
        == (
            '{"err_no":0,"err_msg":"","key":["result"],'
            '"value":["[(\'\\u003cb\\u003e\\u0026中\\"\', 1.0)]"],"tensors":[]}'
        ).encode()
    )
    assert body_of_answer(
        Answer(err_no=3002, err_msg="Failed to inference: Service name error.")
    ) == (
        b'{"err_no":3002,"err_msg":"Failed to inference: Service name error.",'
        b'"key":[],"value":[],"tensors":[]}'
    )
    assert body_of_refusal(3, "no") == b'{"error":"no","code":3,"message":"no","details":[]}'

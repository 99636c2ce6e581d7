"""Requests and answers as text.

Each body that the old gateway takes or refuses was put to paddle-serving-server 0.9.0.
"""

import ast
import json
from typing import Any

import numpy as np
import pytest
from cases import cases
from hypothesis import given
from hypothesis import strategies as st

from ppocr_server.paddle_serving.backend import text_of, texts_of
from ppocr_server.paddle_serving.json_call import (
    BodyError,
    body_of_answer,
    body_of_refusal,
    call_of_body,
)
from ppocr_server.paddle_serving.protocol import (
    ANSWERS,
    Answer,
    PipelineError,
    boxes_text,
    result_text,
)

BOX = np.array([[[295, 298], [10.5, 2], [3, 4], [5, 6]]], np.float32)


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


def test_a_line_reads_as_paddle_serving_writes_it():
    text = result_text(["text"], np.array([0.98196536], np.float32), BOX)
    assert text == (
        "[[('text', 0.98196536), [[295.0, 298.0], [10.5, 2.0], [3.0, 4.0], [5.0, 6.0]]]]"
    )


def test_texts_alone_are_a_list_of_them():
    outputs, text = ANSWERS["res"]
    assert outputs == ("TEXTS",)
    assert text(["it's", "中"]) == "[\"it's\", '中']"
    assert text([]) == "[]"


def test_boxes_alone_are_written_as_numpy_prints_them():
    assert boxes_text(BOX) == str(BOX)
    assert boxes_text(BOX[:0]) == "[]"
    assert "..." not in boxes_text(np.repeat(BOX, 200, 0))


def test_a_model_without_warnings_is_read_and_one_without_texts_named():
    answer = {"TEXTS": np.array([b"a"], np.object_)}
    assert text_of(answer, "res", "old") == "['a']"
    assert texts_of(answer, "WARNINGS") == []
    with pytest.raises(PipelineError, match="the model 'old' has no output SCORES, BOXES, only"):
        text_of(answer, "result", "old")


@pytest.mark.parametrize(
    "text",
    ["it's", 'say "x"', 'it\'s "both"', "C:\\new\\table", "\\", "中文\u2028\x00\n", "", "'''"],
)
def test_any_text_is_a_valid_literal(text):
    parsed = ast.literal_eval(result_text([text], np.array([1e-7], np.float32), BOX))
    assert parsed == [[(text, 1e-7), BOX[0].tolist()]]


@given(st.lists(st.tuples(st.text(), st.floats(0, 1, width=32)), max_size=5))
def test_texts_and_scores_come_back(lines):
    scores = np.array([score for _, score in lines], np.float32)
    boxes = np.repeat(BOX, len(lines), 0)
    parsed = ast.literal_eval(result_text([text for text, _ in lines], scores, boxes))
    assert [line[0][0] for line in parsed] == [text for text, _ in lines]
    assert np.array([line[0][1] for line in parsed], np.float32).tolist() == scores.tolist()

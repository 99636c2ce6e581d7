"""Each form of an answer, over both old ports, from each model that can give it."""

import ast
import json
from pathlib import Path
from typing import Any

import grpc
import pytest
from paddle_serving.conftest import endpoint_process
from serving import ask

from ppocr_server.paddle_serving.pipeline_service_pb2 import Request, Response
from ppocr_server.tritonserver.server import TritonServer

pytestmark = pytest.mark.server

METHOD = "/baidu.paddle_serving.pipeline_serving.PipelineService/inference"


def answers(server: TritonServer, logs: Path, body: bytes, *arguments: str) -> list[Any]:
    """Key and value over HTTP and over gRPC."""
    with endpoint_process(server.grpc_url, logs, *arguments) as running:
        address = f"127.0.0.1:{running.http_port}"
        over_http = json.loads(ask(address, "POST", "/ocr/prediction", body)[1])
        with grpc.insecure_channel(f"127.0.0.1:{running.rpc_port}") as channel:
            call = channel.unary_unary(METHOD, Request.SerializeToString, Response.FromString)
            over_rpc = call(Request(**json.loads(body)), timeout=60)
    assert over_http["err_no"] == over_rpc.err_no == 0
    return [over_http["key"], over_http["value"], list(over_rpc.key), list(over_rpc.value)]


def test_the_texts_of_a_page_are_answered_alone(server, tmp_path, good_body, samples):
    key, (value,), *over_rpc = answers(server, tmp_path, good_body, "--answer", "res")
    assert (key, [key, [value]]) == (["res"], over_rpc)
    assert ast.literal_eval(value) == samples["sign_vertical.jpg"]


def test_a_service_of_det_answers_boxes_and_one_of_rec_one_text(server, tmp_path, good_body):
    detect = ("--model", "detect", "--answer", "dt_boxes")
    key, (value,), *over_rpc = answers(server, tmp_path, good_body, *detect)
    assert (key, [key, [value]]) == (["dt_boxes"], over_rpc)
    assert value.startswith("[[[")
    assert len(ast.literal_eval(",".join(value.split()).replace("],]", "]]"))) == 2
    recognize = ("--model", "recognize", "--answer", "res")
    key, (value,), *over_rpc = answers(server, tmp_path, good_body, *recognize)
    assert (key, [key, [value]]) == (["res"], over_rpc)
    assert len(ast.literal_eval(value)) == 1

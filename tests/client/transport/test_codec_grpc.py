"""ModelInfer's message, written without protobuf's own copies, is the message that it would be."""

import numpy as np
import pytest
from tritonclient.grpc import service_pb2
from tritonclient.utils import serialize_byte_tensor

from ppocr_client.transport.base import Infer
from ppocr_client.transport.over_grpc import encode


@pytest.mark.parametrize("size", [0, 1, 123, 124, 16_380, 16_384, 1 << 21])
def test_a_message_holds_the_inputs_and_their_contents(size):
    picture = np.array([b"\x3a" * size], np.object_)
    boxes = np.arange(16, dtype=np.float32).reshape(2, 4, 2)
    infer = Infer("ocr", {"IMAGE": picture, "BOXES": boxes}, {"drop_score": "0.5"}, "a-1")
    method, written = encode(infer)
    message = service_pb2.ModelInferRequest.FromString(written)
    assert (method, message.model_name, message.id) == ("ModelInfer", "ocr", "a-1")
    assert message.parameters["drop_score"].string_param == "0.5"
    described = [(i.name, i.datatype, list(i.shape)) for i in message.inputs]
    assert described == [("IMAGE", "BYTES", [1]), ("BOXES", "FP32", [2, 4, 2])]
    contents = [serialize_byte_tensor(picture).item(), boxes.tobytes()]
    assert list(message.raw_input_contents) == contents

"""Stand-in for Triton's C++ `openvino` backend, where that one is absent."""

from __future__ import annotations

from ppocr_server.backends.common.stand_in import StandIn
from ppocr_server.backends.openvino.request import open_network
from ppocr_server.backends.openvino.settings import NAME


class TritonPythonModel(StandIn):
    """One instance of one model that OpenVINO reads: IR, ONNX, and others."""

    backend = NAME
    open_network = staticmethod(open_network)

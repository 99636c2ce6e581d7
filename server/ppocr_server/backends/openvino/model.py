"""Stand-in for Triton's C++ `openvino` backend, where that one is absent."""

from __future__ import annotations

from ppocr_server.backends.common.stand_in import StandIn


class TritonPythonModel(StandIn):
    """One instance of one model that OpenVINO reads: IR, ONNX, and others."""

    backend = "openvino"

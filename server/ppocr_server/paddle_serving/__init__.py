"""Paddle Serving's pipeline protocol, HTTP and gRPC, in front of Triton's `ocr`.

Old clients keep their requests, answers, error numbers and ports. One optional process beside
tritonserver: direct clients of Triton never pass through it.

`pipeline_service_pb2.py` is generated from `pipeline_service.proto`, in this
folder, with grpcio-tools 1.74.0 (any protobuf from 6.31 on runs it):

    python -m grpc_tools.protoc -I. --python_out=. pipeline_service.proto
"""

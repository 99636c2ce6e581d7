"""Requests and answers on the wire, over gRPC and HTTP."""

"""The environment of every process in which ONNX Runtime may be imported."""

from __future__ import annotations

import os
from collections.abc import MutableMapping

#: Newer wheels of ONNX Runtime (seen in 1.31.1, not in 1.23.2) write usage data to ~/.cache and
#: carry an upload address. This variable, read when the library is loaded, stops both.
TELEMETRY_OFF = {"ORT_DISABLE_TELEMETRY": "1"}


def disable_telemetry(environment: MutableMapping[str, str] = os.environ) -> None:
    """Keep ONNX Runtime from recording and sending usage data, here and in child processes.

    Call it before `onnxruntime` is imported.

    Args:
        environment: to change; by default this process's own, which children inherit.
    """
    environment.update(TELEMETRY_OFF)

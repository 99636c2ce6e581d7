"""What keeps the engines from recording and sending usage data."""

from __future__ import annotations

import os
import sys
from collections.abc import MutableMapping

#: Newer wheels of ONNX Runtime (seen in 1.31.1, not in 1.23.2) write usage data to ~/.cache and
#: carry an upload address. This variable, read when the library is loaded, stops both.
TELEMETRY_OFF = {"ORT_DISABLE_TELEMETRY": "1"}
#: OpenVINO sends an event to Google Analytics whenever it is imported, and keeps an identifier in
#: ~/intel, if it finds this package, which its wheel requires.
OPENVINO_TELEMETRY = "openvino_telemetry"


def disable_telemetry(environment: MutableMapping[str, str] = os.environ) -> None:
    """Keep ONNX Runtime and OpenVINO from recording and sending usage data, in children as well.

    Call it before either is imported. `import_engine` does so, in child processes as well.
    """
    environment.update(TELEMETRY_OFF)
    # An import of a module that is None fails; OpenVINO then takes a stub that does nothing.
    sys.modules.setdefault(OPENVINO_TELEMETRY, None)  # type: ignore[arg-type]

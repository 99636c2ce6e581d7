"""admit: a picture gets its TICKET, with which the pipeline begins, when there is room for it."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

# The packages that `build` lays beside this file come before any that are installed.
sys.path.insert(0, str(Path(__file__).parent))

import numpy as np

from ppocr_steps import triton_io
from ppocr_steps.departures import WayOut
from ppocr_steps.slots import Room


class TritonPythonModel:
    """Keep the number of pictures that are in progress within its limit."""

    def initialize(self, args: dict[str, str]) -> None:
        """Read the limit from config.pbtxt."""
        self.way_out = WayOut()
        places = int(triton_io.config_parameters(args)["max_in_progress"])
        self.room = Room(places, self.way_out.newest, time.monotonic_ns, time.sleep)

    def execute(self, requests: list[Any]) -> list[Any]:
        """Let every request in; those behind wait meanwhile."""
        return triton_io.answer_each(requests, self.answer)

    def finalize(self) -> None:
        """Drop the metric handles: destroying them after this call crashes the stub."""
        del self.way_out, self.room

    def answer(self, request: Any) -> Any:
        """A ticket, as soon as there is room."""
        return triton_io.response(TICKET=np.array([self.room.enter()], np.int64))

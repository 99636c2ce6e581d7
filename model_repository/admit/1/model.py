"""admit: a picture gets its ADMISSION_ID, with which the pipeline begins, when there is a slot."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

# The packages that `build` lays beside this file come before any that are installed.
sys.path.insert(0, str(Path(__file__).parent))

import numpy as np

from ppocr_steps import triton_io
from ppocr_steps.departures import ADMISSION_ID, Departures
from ppocr_steps.refusals import Refusals, expect_waiting
from ppocr_steps.slots import Slots


class TritonPythonModel:
    """Keep the number of pictures that are in progress within its limit."""

    def initialize(self, args: dict[str, str]) -> None:
        """Read the limit from config.pbtxt."""
        places = int(triton_io.config_parameters(args)["max_in_progress"])
        self.refusals = Refusals()
        self.departures = Departures()
        self.slots = Slots(places, self.departures, time.monotonic_ns, time.sleep)

    def execute(self, requests: list[Any]) -> list[Any]:
        """Let every request in; those behind wait meanwhile."""
        return [self.answer_or_refuse(request) for request in requests]

    def finalize(self) -> None:
        """Drop the metric handles."""
        self.departures.close()

    def answer_or_refuse(self, request: Any) -> Any:
        """An id, as soon as there is a slot."""
        try:
            expect_waiting(request)
            return triton_io.response(**{ADMISSION_ID: np.array([self.slots.enter()], np.int64)})
        except Exception as error:  # noqa: BLE001 - whatever it is, it concerns this request alone
            return self.refusals.answer(request, error)

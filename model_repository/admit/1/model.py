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
from ppocr_steps.counters import Counters
from ppocr_steps.departures import ADMISSION_ID, Departures
from ppocr_steps.languages import expect_read
from ppocr_steps.metrics import REJECTED
from ppocr_steps.refusals import Refusals, expect_waiting
from ppocr_steps.slots import Slots


class TritonPythonModel:
    """Keep the number of pictures that are in progress within its limit."""

    def initialize(self, args: dict[str, str]) -> None:
        """Read the limit and the languages from config.pbtxt."""
        parameters = triton_io.config_parameters(args)
        places = int(parameters["max_in_progress"])
        self.languages = parameters.get("languages", "")
        self.counters = Counters(REJECTED)
        self.refusals = Refusals(self.counters)
        self.departures = Departures()
        self.slots = Slots(places, self.departures, time.monotonic_ns, time.sleep)

    def execute(self, requests: list[Any]) -> list[Any]:
        """Let every request in; those behind wait meanwhile."""
        return [self.answer_or_refuse(request) for request in requests]

    def finalize(self) -> None:
        """Send what was counted, and drop the metric handles."""
        self.counters.close()
        self.departures.close()

    def answer_or_refuse(self, request: Any) -> Any:
        """An id, as soon as there is a slot."""
        try:
            expect_waiting(request)
            language = triton_io.optional_tensor(request, "LANGUAGE")
            if language is not None:
                expect_read(language.item(), self.languages)
            return triton_io.response(**{ADMISSION_ID: np.array([self.slots.enter()], np.int64)})
        except Exception as error:  # noqa: BLE001 - whatever it is, it concerns this request alone
            return self.refusals.answer(request, error)

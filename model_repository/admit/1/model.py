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
from ppocr_steps.departures import ADMISSION_ID
from ppocr_steps.languages import expect_read
from ppocr_steps.refusals import expect_waiting
from ppocr_steps.slots import Slots
from ppocr_steps.step import Step


class TritonPythonModel(Step):
    """Keep the number of pictures that are in progress within its limit."""

    def initialize(self, args: dict[str, str]) -> None:
        """Read the limit and the languages from config.pbtxt."""
        parameters = triton_io.config_parameters(args)
        places = int(parameters["max_in_progress"])
        self.languages = parameters.get("languages", "")
        self.count()
        self.slots = Slots(places, self.departures, time.monotonic_ns, time.sleep)

    def answer(self, request: Any) -> Any:
        """An id, as soon as there is a slot; those behind wait meanwhile."""
        expect_waiting(request)
        language = triton_io.optional_tensor(request, "LANGUAGE")
        if language is not None:
            expect_read(language.item(), self.languages)
        return triton_io.response(**{ADMISSION_ID: np.array([self.slots.enter()], np.int64)})

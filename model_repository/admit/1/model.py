"""admit: a picture gets its TICKET, with which the pipeline begins, when there is room for it."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from . import step
from .room import Room
from .way_out import WayOut


class TritonPythonModel:
    """Keep the number of pictures that are in progress within its limit."""

    def initialize(self, args: dict[str, str]) -> None:
        """Read the limit from config.pbtxt."""
        self.way_out = WayOut()
        places = int(step.config_parameters(args)["max_in_progress"])
        self.room = Room(places, self.way_out.newest, time.monotonic_ns, time.sleep)

    def execute(self, requests: list[Any]) -> list[Any]:
        """Let every request in; those behind wait meanwhile."""
        return step.answer_each(requests, self.answer)

    def finalize(self) -> None:
        """Let go of the gauge: later, the process would crash on telling Triton so."""
        del self.way_out, self.room

    def answer(self, request: Any) -> Any:
        """A ticket, as soon as there is room."""
        return step.response(TICKET=np.array([self.room.enter()], np.int64))

"""What the Python steps share: every request is answered or refused on its own."""

from __future__ import annotations

from typing import Any

from ppocr_steps.counters import Counters, Family
from ppocr_steps.departures import Departures
from ppocr_steps.kept_memory import keep_memory
from ppocr_steps.metrics import REJECTED
from ppocr_steps.refusals import Refusals


class Step:
    """A step of the pipeline, as Triton runs it. A subclass has `initialize` and `answer`."""

    def count(self, *families: Family) -> None:
        """Make the counters of the step, and what else every step has; `initialize` calls it."""
        self.counters = Counters(*families, REJECTED)
        self.refusals = Refusals(self.counters)
        self.departures = Departures()
        keep_memory()

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer every request on its own."""
        return [self.answer_or_refuse(request) for request in requests]

    def finalize(self) -> None:
        """Send what was counted, and drop the metric handles."""
        self.counters.close()
        self.departures.close()

    def answer_or_refuse(self, request: Any) -> Any:
        """One answer; a picture that is refused leaves the pipeline."""
        try:
            return self.answer(request)
        except Exception as error:  # noqa: BLE001 - whatever it is, it concerns this request alone
            self.departures.leave(request)
            return self.refusals.answer(request, error)

    def answer(self, request: Any) -> Any:
        """One answer; what is raised is the reason of a refusal, see `Refusals`."""
        raise NotImplementedError

"""What the steps count, as Prometheus reads it."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from ppocr_pipeline.batches import Batch
from ppocr_pipeline.header import REASONS
from ppocr_steps.counters import Counters, Family

Item = TypeVar("Item")

#: The reason of a refusal where the request is at fault and not the picture.
OPTION = "option"
# Crops are counted by the first of these widths, in pixels, that holds the padded one.
WIDTHS = (96, 160, 320, 480, 640, 960, 1600, 3200)
WIDTH_LABELS = (*map(str, WIDTHS), "wider")

BYTES_IN = Family("ppocr_bytes_in_total", "Bytes of encoded pictures")
PIXELS = Family("ppocr_pixels_total", "Pixels of decoded pictures")
REJECTED = Family(
    "ppocr_rejected_total",
    "Requests that were refused, by what was wrong with them",
    {reason: {"reason": reason} for reason in (*REASONS, OPTION)},
)
PICTURES = Family("ppocr_pictures_total", "Pictures read")
WITHOUT_TEXT = Family("ppocr_pictures_without_text_total", "Pictures without a line")
LINES = Family("ppocr_lines_total", "Lines in the answers")
CROPS = Family(
    "ppocr_crops_total",
    "Crops that rec has read, by the width in pixels that holds them padded",
    {width: {"bucket": width} for width in WIDTH_LABELS},
)


def step_seconds(model: str, phases: Sequence[str]) -> Family:
    """The seconds of each phase of a step, which Triton's statistics see as one piece."""
    return Family(
        "ppocr_step_seconds_total",
        "Seconds that a step has spent in each phase of its work, all instances together",
        {phase: {"model": model, "phase": phase} for phase in phases},
    )


class Stopwatch:
    """Counts the time of each phase of a step."""

    def __init__(self, counters: Counters, seconds: Family) -> None:
        """Start the first phase."""
        self._counters, self._seconds = counters, seconds
        self._last = time.perf_counter()

    def ended(self, phase: str) -> None:
        """Add the time since the last phase ended to this one."""
        now = time.perf_counter()
        self._counters.add(self._seconds, now - self._last, phase)
        self._last = now

    def within(self, phase: str, items: Iterable[Item]) -> Iterator[Item]:
        """The items; what making them takes is a phase of its own within another one."""
        begun = time.perf_counter()
        for item in items:
            taken = time.perf_counter() - begun
            self._counters.add(self._seconds, taken, phase)
            self._last += taken
            yield item
            begun = time.perf_counter()


def count_crops(counters: Counters, batches: Iterable[Batch]) -> None:
    """Count the crops of a picture by the width that they are padded to."""
    for batch in batches:
        counters.add(CROPS, len(batch.indices), WIDTH_LABELS[bisect_left(WIDTHS, batch.width)])

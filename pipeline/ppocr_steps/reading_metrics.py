"""What this step has read, and the seconds of its phases, as counters among Triton's own metrics.

Triton's statistics see the step as one piece.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from ppocr_pipeline.batches import Batch
from ppocr_steps.counters import Counter

# Crops are counted by the first of these widths, in pixels, that holds the padded one.
WIDTHS = (96, 160, 320, 480, 640, 960, 1600, 3200)
WIDER = "wider"


class Phases:
    """The phases of one model; every instance adds to the same counters."""

    def __init__(self, model: str, names: Sequence[str]) -> None:
        """Make the counters, labelled with `model` and the phase."""
        self._seconds = Counter(
            "ppocr_step_seconds_total",
            "Seconds that a step has spent in each phase of its work, all instances together",
            {name: {"model": model, "phase": name} for name in names},
        )
        self.tell = self._seconds.tell

    def begin(self) -> Callable[[str], None]:
        """Start a clock; calling what is returned adds the time since the last call to a phase."""
        last = time.perf_counter()

        def ended(phase: str) -> None:
            nonlocal last
            now = time.perf_counter()
            self._seconds.add(now - last, phase)
            last = now

        return ended


class Reading:
    """Pictures, lines and crops that an instance has read."""

    def __init__(self) -> None:
        """Make the counters."""
        self._pictures = Counter("ppocr_pictures_total", "Pictures read")
        self._without = Counter("ppocr_pictures_without_text_total", "Pictures without a line")
        self._lines = Counter("ppocr_lines_total", "Lines in the answers")
        buckets = (*map(str, WIDTHS), WIDER)
        self._crops = Counter(
            "ppocr_crops_total",
            "Crops that rec has read, by the width in pixels that holds them padded",
            {bucket: {"bucket": bucket} for bucket in buckets},
        )

    def answered(self, lines: int) -> None:
        """Count a picture with so many lines in its answer."""
        self._pictures.add(1)
        self._lines.add(lines)
        self._without.add(lines == 0)

    def cropped(self, batches: Iterable[Batch]) -> None:
        """Count the crops of a picture."""
        for batch in batches:
            bucket = next((str(width) for width in WIDTHS if width >= batch.width), WIDER)
            self._crops.add(len(batch.indices), bucket)

    def tell(self) -> None:
        """Bring Triton's numbers up to date, once a second at the most."""
        for counter in (self._pictures, self._without, self._lines, self._crops):
            counter.tell()

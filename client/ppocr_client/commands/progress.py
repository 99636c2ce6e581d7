"""Progress of a long run: one line that is overwritten on a terminal, or a line now and then."""

from __future__ import annotations

import threading
import time
from typing import TextIO

PERIOD = 0.2  # seconds between two updates


class Progress:
    """Counts documents, in several threads; shows rate, time left and failures."""

    def __init__(
        self, total: int, stream: TextIO, *, shown: bool, logged: float = float("inf")
    ) -> None:
        """Begin.

        Args:
            total: The number of documents.
            stream: Where progress is shown.
            shown: Whether it is a terminal, where a line can be overwritten.
            logged: Seconds between two lines where it is none.
        """
        self._total, self._stream, self._shown = total, stream, shown
        self._period = PERIOD if shown else logged
        self._done = self._failed = 0
        self._start = time.monotonic()
        self._written = 0.0 if shown else self._start
        self._lock = threading.Lock()

    def count(self, failed: bool) -> None:
        """Count one more finished document."""
        with self._lock:
            self._done, self._failed = self._done + 1, self._failed + failed
            now = time.monotonic()
            last = self._shown and self._done == self._total
            if last or now - self._written > self._period:
                self._written = now
                line = describe(self._done, self._total, self._failed, now - self._start)
                self._stream.write(f"\r\x1b[K{line}" if self._shown else f"ppocr-client: {line}\n")
                self._stream.flush()

    def clear(self) -> None:
        """Erase the line, before something else is written."""
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


def describe(done: int, total: int, failed: int, seconds: float) -> str:
    """The line: "12/100 · 3.4/s · 0:26 left · 1 failed"."""
    rate = done / max(seconds, 1e-9)
    left = round((total - done) / rate) if done else 0
    minutes, rest = divmod(left, 60)
    hours, minutes = divmod(minutes, 60)
    clock = f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
    parts = [f"{done}/{total}", f"{rate:.1f}/s", f"{clock} left"]
    return " · ".join([*parts, f"{failed} failed"] if failed else parts)

"""Whether the machine gave the shared server its processors and an even clock while a test ran.

Triton gives up a Python instance that stands still for a second, or works while the clock is set
ahead, and soon dies of it (see `ppocr_server.heartbeats` and `.wall_clock`). `ppocr-serve` replaces
such a server; the tests' shared one is replaced here, and the test that lost it runs once more.
"""

from __future__ import annotations

import itertools
import threading
from types import TracebackType

from ppocr_server.heartbeats import Heartbeats
from ppocr_server.steps import Steps
from ppocr_server.triton import TritonServer
from ppocr_server.wall_clock import WallClock

LOOK_SECONDS = 0.1


class Watch:
    """Notes what would make `ppocr-serve` replace a server that has not ended.

    Attributes:
        reasons: what was seen since the server was started.
    """

    def __init__(self, server: TritonServer) -> None:
        self.reasons: list[str] = []
        self._server = server
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, name="steadiness")

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        heartbeats, clock = Heartbeats(), WallClock()
        for look in itertools.count():
            if self._ended.wait(LOOK_SECONDS):
                return
            if look % 10 == 0:
                steps = Steps(self._server.pid)
                steps.lost()
            names = steps.names()
            self.reasons += [f"{names[pid]} stood still" for pid in heartbeats.stopped(names)]
            if ahead := clock.set_ahead():
                self.reasons.append(f"the clock was set ahead by {ahead:.1f} s")

    def replace_server(self) -> str:
        """Start the server again, on its ports; what was seen until now."""
        self._server.restart()
        reasons, self.reasons = self.reasons, []
        return ", ".join(reasons)

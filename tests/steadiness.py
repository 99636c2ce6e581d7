"""Whether the machine gave an even clock, and the shared server its processors, while a test ran.

Triton gives up a Python instance that works while the clock is set ahead, or stands still for a
second, and soon dies of it (see `ppocr_server.watch.wall_clock` and `.heartbeats`). `ppocr-serve`
replaces such a server; the tests' shared one is replaced here, and a test that failed then runs
once more.
"""

from __future__ import annotations

import itertools
import threading
import time

from ppocr_server.tritonserver.server import TritonServer
from ppocr_server.watch.heartbeats import Heartbeats
from ppocr_server.watch.stub_processes import Steps
from ppocr_server.watch.wall_clock import WallClock

LOOK_SECONDS = 0.1
BACK_SECONDS = 10.0  # within which clients find the way back to a server that was away
LOOKS = 10  # until a new process of the server is noticed


class Watch:
    """Notes what makes `ppocr-serve` replace a server that has not ended.

    Attributes:
        server: the shared one, while there is one.
        reasons: what was seen since that server was started.
    """

    def __init__(self) -> None:
        """Watch until `end`."""
        self.server: TritonServer | None = None
        self.reasons: list[str] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, name="steadiness", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Look no more."""
        self._ended.set()
        self._thread.join()

    def replace_server(self) -> str:
        """Start the shared server again on its ports, if there is one; what was seen until now."""
        if self.server is not None:
            self.server.restart()
            time.sleep(BACK_SECONDS)
        reasons, self.reasons = self.reasons, []
        return ", ".join(reasons)

    def _look(self) -> None:
        heartbeats, clock, names = Heartbeats(), WallClock(), {}
        for look in itertools.count():
            if self._ended.wait(LOOK_SECONDS):
                return
            if look % LOOKS == 0:
                names = _processes(self.server)
            self.reasons += [f"{names[pid]} stood still" for pid in heartbeats.stopped(names)]
            if ahead := clock.set_ahead():
                self.reasons.append(f"the clock was set ahead by {ahead:.1f} s")


def _processes(server: TritonServer | None) -> dict[int, str]:
    """The instances of a server by their process ids."""
    if server is None or server.poll() is not None:
        return {}
    steps = Steps(server.pid)
    steps.lost()
    return steps.names()

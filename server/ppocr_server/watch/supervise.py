"""Restart a server that ended, lost a stub process, or may take a living one for dead.

A stub process is a process in which Triton's Python backend runs an instance of a model. Triton
2.51 gives up a living one that has a request and gives no heartbeat for a second of the wall clock
(see `heartbeats.py`, `wall_clock.py` and `stub_requests.py`). One without a request is left alone.

Triton 2.51 does not replace a stub that died. Its request fails within about a second, and so does
every later request of that instance, which gets most of them because it is always free. Triton
still reports that it is ready. Reloading the model over the repository API ends the errors, but
Triton never releases the failed request: the old instances keep their memory, and the server can no
longer stop in order. So the whole server is replaced. It is killed and not stopped, because an
orderly stop completes few requests and fails the others; after a broken connection clients retry.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NoReturn

from ppocr_server.errors import ServerError
from ppocr_server.watch.heartbeats import Heartbeats
from ppocr_server.watch.stub_internals import unexpected_internals
from ppocr_server.watch.stub_processes import StubProcesses
from ppocr_server.watch.stub_requests import StubRequests
from ppocr_server.watch.wall_clock import WallClock

if TYPE_CHECKING:
    from ppocr_server.tritonserver.server import TritonServer

LOG = logging.getLogger(__name__)
WATCH_SECONDS = 0.5
CHECKS = 5  # of heartbeats and clock in that time
WINDOW_SECONDS = 600.0  # `--restarts` counts those within this time
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0


def supervise(server: TritonServer, restarts: int, check: Callable[[], None]) -> NoReturn:
    """Watch a started server, and restart it on the same ports when necessary.

    Args:
        server: is stopped when this raises after a restart that failed.
        restarts: how many are allowed within `WINDOW_SECONDS`; 0 for none.
        check: called repeatedly; what it raises ends the watch.

    Raises:
        ServerError: the server ended or lost a process, and no restart is left.
    """
    past: list[float] = []
    reason = _until_it_ends(server, check)
    while True:
        now = time.monotonic()
        past = [then for then in past if now - then < WINDOW_SECONDS]
        if len(past) >= restarts:
            raise ServerError(_no_more(reason, restarts))
        pause = pause_before(past)
        past.append(now)
        LOG.warning(
            "ppocr-serve: %s; starting it again in %g s, restart %d of %d within %g s",
            *(reason, pause, len(past), restarts, WINDOW_SECONDS),
        )
        _wait(pause, check)
        try:
            server.restart()
        except ServerError as error:
            reason = str(error)
        else:
            took = time.monotonic() - now
            LOG.warning("ppocr-serve: ready again after %.1f s, pid %d", took, server.pid)
            reason = _until_it_ends(server, check)


def pause_before(past: Sequence[float]) -> float:
    """Seconds to wait before the next restart, after the restarts at these times."""
    return min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** len(past))


def _until_it_ends(server: TritonServer, check: Callable[[], None]) -> str:
    """Return why the server ended, or why it was killed here."""
    processes = StubProcesses(server.pid)
    with contextlib.closing(StubRequests()) as requests:
        given_up = GivenUp(processes, requests)
        for number in itertools.count():
            if (status := server.poll()) is not None:
                return f"tritonserver ended by itself with status {status}"
            if number % CHECKS == 0:
                check()
                if lost := processes.lost():
                    server.kill()
                    return f"tritonserver lost the process of {', '.join(lost)}"
            if reason := given_up.reason():
                server.kill()
                return reason
            time.sleep(WATCH_SECONDS / CHECKS)
    raise AssertionError("unreachable: the loop has no end")


class GivenUp:
    """Notices that Triton may have given up a stub that still lives."""

    def __init__(self, processes: StubProcesses, requests: StubRequests) -> None:
        """Watch the stubs of a server that is ready; nothing is watched where that cannot work."""
        self._processes, self._requests = processes, requests
        self._heartbeats, self._clock = Heartbeats(), WallClock()
        processes.lost()
        requests.active(processes.stubs)  # before the wait for heartbeats: what comes later counts
        self._problem = unexpected_internals(processes.stubs)
        if self._problem:
            LOG.warning(
                "ppocr-serve: %s. This Triton is not watched for stopped processes or for "
                "clock changes; a process that ends is still noticed",
                self._problem,
            )

    def reason(self) -> str:
        """Why it may have; "" if it did not. To be called several times a second."""
        if self._problem:
            return ""
        stubs = self._processes.stubs
        ahead = self._clock.set_ahead()
        # After the clock: a request that the change met is seen even if it has just ended.
        active = self._requests.active(stubs)
        stopped = [pid for pid in self._heartbeats.stopped(stubs) if pid in active]
        if stopped:
            names = ", ".join(stubs[pid].name for pid in stopped)
            return f"the process of {names} had a request and gave no heartbeat for a second"
        if ahead and active:
            return f"the clock was set ahead by {ahead:.1f} s while requests were in progress"
        return ""


def _wait(seconds: float, check: Callable[[], None]) -> None:
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        check()
        time.sleep(min(left, WATCH_SECONDS))


def _no_more(reason: str, restarts: int) -> str:
    if not restarts:
        return reason
    return (
        f"{reason}; it has been restarted {restarts} times within {WINDOW_SECONDS:g} s, which is "
        "all that --restarts allows"
    )

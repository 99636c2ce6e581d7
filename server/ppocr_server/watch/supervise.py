"""Restart a server that ended, lost a stub process, or may take a living one for dead.

Triton 2.51 gives up a living stub that has a request and gives no heartbeat (see `heartbeats.py`).
One without a request is left alone. It does not replace a stub that died. That one's request fails
within about a second, and so does every later request of that instance, which gets most of them
because it is always free. Triton still reports that it is ready. Reloading the model over the
repository API ends the errors, but Triton never releases the failed request: the old instances keep
their memory, and the server can no longer stop in order. So the whole server is replaced. It is
killed and not stopped, because an orderly stop completes few requests and fails the others; after a
broken connection clients retry.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn

from ppocr_server.errors import ServerError
from ppocr_server.watch.heartbeats import Heartbeats, WallClock, beats_of
from ppocr_server.watch.stubs import (
    MUTEX_BYTES,
    LayoutError,
    Stub,
    Stubs,
    queue_state,
    stub_of,
)

if TYPE_CHECKING:
    from ppocr_server.tritonserver.server import TritonServer

LOG = logging.getLogger(__name__)
WATCH_SECONDS = 0.5
CHECKS = 5  # of heartbeats and clock in that time
WINDOW_SECONDS = 600.0  # `--restarts` counts those within this time
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
FIRST_BEAT_SECONDS = 10.0  # a beat takes 0.3 s; a busy machine may start the process late


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
        if not restarts:
            raise ServerError(reason)
        if len(past) >= restarts:
            raise ServerError(
                f"{reason}; it has been restarted {restarts} times within {WINDOW_SECONDS:g} s, "
                "which is all that --restarts allows"
            )
        pause = pause_before(past)
        past.append(now)
        LOG.warning(
            "ppocr-serve: %s; starting it again in %g s, restart %d of %d within %g s",
            *(reason, pause, len(past), restarts, WINDOW_SECONDS),
        )
        while (left := now + pause - time.monotonic()) > 0:
            check()
            time.sleep(min(left, WATCH_SECONDS))
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
    stubs = Stubs(server.pid)
    given_up = _GivenUp(stubs)
    looks = 0
    while (status := server.poll()) is None:
        lost: list[str] = []
        if looks % CHECKS == 0:
            check()
            lost = stubs.lost()
        reason = (
            f"tritonserver lost the process of {', '.join(lost)}" if lost else given_up.reason()
        )
        if reason:
            server.kill()
            return reason
        looks += 1
        time.sleep(WATCH_SECONDS / CHECKS)
    return f"tritonserver ended by itself with status {status}"


class _GivenUp:
    """Notices that Triton may have given up a stub that still lives."""

    def __init__(self, stubs: Stubs) -> None:
        """Watch the stubs of a server that is ready; nothing is watched where that cannot work."""
        self._stubs, self._heartbeats, self._clock = stubs, Heartbeats(), WallClock()
        stubs.lost()
        stubs.active()  # before the wait for heartbeats: what comes later counts
        self._problem = unexpected_internals(stubs.known)
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
        stubs = self._stubs.known
        ahead = self._clock.set_ahead()
        # After the clock: a request that the change met is seen even if it has just ended.
        active = self._stubs.active()
        stopped = [stubs[pid].name for pid in self._heartbeats.stopped(stubs) if pid in active]
        if stopped:
            names = ", ".join(stopped)
            return f"the process of {names} had a request and gave no heartbeat for a second"
        if ahead and active:
            return f"the clock was set ahead by {ahead:.1f} s while requests were in progress"
        return ""


def unexpected_internals(stubs: Mapping[int, Stub], seconds: float = FIRST_BEAT_SECONDS) -> str:
    """What differs from the Python backend of Triton 2.51; "" if nothing does.

    Args:
        stubs: of a server that is ready, by process id.
        seconds: the longest time to wait for a heartbeat of each stub.
    """
    if not MUTEX_BYTES:
        return "the layout of the backend's shared memory is not known for this architecture"
    for stub in stubs.values():
        if not stub.control:
            return f"the command line of {stub.name} is not that of a Python backend stub"
        try:
            queue_state(stub)
        except LayoutError as error:
            return str(error)
    first = {pid: beats_of(pid) for pid in stubs}
    deadline = time.monotonic() + seconds
    # Except those that end meanwhile.
    while silent := [
        stub.name
        for pid, stub in stubs.items()
        if beats_of(pid) in (None, first[pid]) and stub_of(pid) == stub
    ]:
        if time.monotonic() > deadline:
            return f"the second thread of {', '.join(silent)} gives no heartbeat"
        time.sleep(WATCH_SECONDS / CHECKS)
    return ""

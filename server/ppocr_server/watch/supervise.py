"""Keep a server whole: start it again when it has ended by itself, or lost one of its processes.

A process counts as lost when it has ended, and when Triton may have given it up: it stood still
(see `heartbeats.py`), or the clock was set ahead while it worked (see `wall_clock.py`).

Triton 2.51 does not replace the process of a Python instance that died. The request it worked on is
answered with an error within about a second; every later one that is given to that instance fails
in the same way, which are most of them, since it is always free; all the while Triton says that it
is ready. Loading the one model again over the repository API puts an end to the errors too, but
the request that failed is never let go inside Triton: the old instances stay, with their memory and
their shared memory, and the server cannot end in order any more. So the whole server is replaced,
which frees everything, and is not ready meanwhile and says so. It is killed: Triton's orderly end
lets few requests finish and fails others inside; a broken connection tells clients to send again.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn

from ppocr_server.errors import ServerError
from ppocr_server.watch.heartbeats import Heartbeats
from ppocr_server.watch.stub_processes import Steps
from ppocr_server.watch.wall_clock import WallClock

if TYPE_CHECKING:
    from ppocr_server.tritonserver.server import TritonServer

LOG = logging.getLogger(__name__)
WATCH_SECONDS = 0.5
LOOKS = 5  # at the signs of life, in that time
# So many restarts are allowed within this time; older ones are forgotten.
WINDOW_SECONDS = 600.0
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0


def supervise(server: TritonServer, restarts: int, check: Callable[[], None]) -> NoReturn:
    """Watch a server that is up, and start it again, on the ports that it has, when it must be.

    Args:
        server: started; it is stopped when this raises after a restart that failed.
        restarts: how many are allowed within `WINDOW_SECONDS`; 0 for none.
        check: called again and again meanwhile; what it raises ends the watch.

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
    """Seconds to wait before the next restart, given the times of those that count still."""
    return min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** len(past))


def _until_it_ends(server: TritonServer, check: Callable[[], None]) -> str:
    """Return why it ended; it is ended here when it lost a process."""
    steps, heartbeats, clock = Steps(server.pid), Heartbeats(), WallClock()
    looks = itertools.count()
    while (status := server.poll()) is None:
        if next(looks) % LOOKS == 0:
            check()
            if lost := steps.lost():
                server.kill()
                return f"tritonserver lost the process of {', '.join(lost)}"
        if gave_up := _given_up(steps.names(), heartbeats, clock):
            server.kill()
            return f"{gave_up}; Triton takes that for the end of processes that live"
        time.sleep(WATCH_SECONDS / LOOKS)
    return f"tritonserver ended by itself with status {status}"


def _given_up(names: Mapping[int, str], heartbeats: Heartbeats, clock: WallClock) -> str:
    """For what Triton may have given up processes just now; empty for nothing."""
    if stopped := heartbeats.stopped(names):
        return f"the process of {', '.join(names[pid] for pid in stopped)} stood still for a second"
    if ahead := clock.set_ahead():
        return f"the clock was set ahead by {ahead:.1f} s"
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

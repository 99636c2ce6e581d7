"""Check that the internals of Triton's Python backend are as the watch expects them.

They are no interface: another version of Triton may change them without notice.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from ppocr_server.watch.heartbeats import beats_of
from ppocr_server.watch.stub_processes import Stub, stub_of
from ppocr_server.watch.stub_requests import MUTEX_BYTES, LayoutError, Region

FIRST_BEAT_SECONDS = 10.0  # a beat takes 0.3 s; a busy machine may start the process late
POLL_SECONDS = 0.1


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
            Region(stub).close()
        except LayoutError as error:
            return str(error)
    return _without_heartbeat(stubs, seconds)


def _without_heartbeat(stubs: Mapping[int, Stub], seconds: float) -> str:
    """Names the stubs whose second thread gives no heartbeat, except those that end meanwhile."""
    first = {pid: beats_of(pid) for pid in stubs}
    deadline = time.monotonic() + seconds
    while silent := [
        stub.name
        for pid, stub in stubs.items()
        if beats_of(pid) in (None, first[pid]) and stub_of(pid) == stub
    ]:
        if time.monotonic() > deadline:
            return f"the second thread of {', '.join(silent)} gives no heartbeat"
        time.sleep(POLL_SECONDS)
    return ""

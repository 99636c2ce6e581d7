"""The small process between us and tritonserver: whatever dies, nothing is left behind.

It is started as a plain script (standard library only, so that it is up in milliseconds), as
leader of a session of its own, and starts tritonserver in that session. It stops tritonserver
when its standard input closes (which happens however its parent ends, `kill -9` included) or on
SIGTERM, waits, kills what tritonserver left running, unlinks the shared-memory regions that carry
this server's prefix, and removes the run folder. Should the guard itself be killed, the kernel
sends tritonserver a SIGTERM.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

SHARED_MEMORY = Path("/dev/shm")  # nosec B108 # the folder itself
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
POLL_SECONDS = 0.1


def main(plan_json: str) -> int:
    """Run one tritonserver to its end; returns its exit status (128 + n for signal n)."""
    plan = json.loads(plan_json)
    stopping: list[int] = []

    def on_signal(number: int, frame: FrameType | None) -> None:
        stopping.append(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, on_signal)
    # Orphans of tritonserver become our children, so that we can see and reap them.
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    child = subprocess.Popen(
        plan["command"],
        cwd=plan["cwd"],
        env={**os.environ, **plan["environment"]},
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr.fileno(),
        preexec_fn=lambda: _prctl(PR_SET_PDEATHSIG, signal.SIGTERM),
    )
    os.write(sys.stdout.fileno(), b"%d\n" % child.pid)
    os.close(sys.stdout.fileno())

    parent = plan["parent"]
    while child.poll() is None and not stopping and os.getppid() == parent:
        if select.select([sys.stdin], [], [], POLL_SECONDS)[0]:
            break
    if child.poll() is None:
        _stop(child, plan["grace"])
    clean_up(os.getpid(), plan["prefix"], Path(plan["run_folder"]))
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _stop(child: subprocess.Popen[bytes], grace: float) -> None:
    if grace > 0:
        child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(grace)
    if child.poll() is None:
        child.kill()
        child.wait()


def clean_up(session: int, prefix: str, run_folder: Path) -> None:
    """Kill what is left of a session, unlink its shared memory, remove its run folder.

    Args:
        session: session id, which is the guard's own process id.
        prefix: what the names of the server's shared-memory regions begin with.
        run_folder: the server's temporary folder.
    """
    deadline = time.monotonic() + 5.0
    while (left := leftovers(session)) and time.monotonic() < deadline:
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
    if session == os.getpid():
        _reap()
    for region in shared_memory(prefix):
        region.unlink(missing_ok=True)
    shutil.rmtree(run_folder, ignore_errors=True)


def _reap() -> None:
    """Collect the ends of all processes that became our children, so that no zombie stays."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def shared_memory(prefix: str) -> list[Path]:
    """The regions in /dev/shm whose names begin with `prefix`."""
    return sorted(path for path in SHARED_MEMORY.glob("*") if path.name.startswith(prefix))


def leftovers(session: int) -> list[int]:
    """Processes that are in a session, or were inherited from it, its leader excepted."""
    return [
        pid
        for pid, state, parent, its_session in processes()
        if state != "Z" and pid != session and session in (parent, its_session)
    ]


def processes() -> list[tuple[int, str, int, int]]:
    """(pid, state, parent, session) of every process; "Z" has ended and was not collected."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            # The name in brackets may itself hold brackets and spaces: split after the last one.
            state, parent, _, session = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
            found.append((int(entry.name), state, int(parent), int(session)))
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

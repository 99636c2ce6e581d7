"""A small process between ppocr-serve and tritonserver that leaves nothing behind.

It is started as a plain script, with the standard library only, so that it is up in milliseconds.
It leads a session of its own and starts tritonserver in that session. It stops tritonserver on
SIGTERM, and when its standard input closes, which happens however its parent ends (`kill -9`
included). Then it waits, kills what tritonserver left running, unlinks the shared-memory regions
with this server's prefix, and removes the run folder. If the guard itself is killed, the kernel
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
    # Orphans of tritonserver become children of this process, which can then see and reap them.
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    try:
        child = subprocess.Popen(
            plan["command"],
            cwd=plan["cwd"],
            env={**os.environ, **plan["environment"]},
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),
            preexec_fn=lambda: _prctl(PR_SET_PDEATHSIG, signal.SIGTERM),
        )
    except OSError as error:
        os.write(sys.stdout.fileno(), f"{error.strerror}\n".encode())
        return 1
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
    """Kill the remaining processes of a session, unlink its shared memory, remove its run folder.

    Args:
        session: session id, which is the guard's own process id.
        prefix: of the names of the server's shared-memory regions.
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
    """Reap all processes that became children of this one, so that no zombie remains."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def shared_memory(prefix: str) -> list[Path]:
    """The regions in /dev/shm whose names begin with `prefix`."""
    return sorted(path for path in SHARED_MEMORY.glob("*") if path.name.startswith(prefix))


def leftovers(session: int) -> list[int]:
    """The living processes of a session and its orphans, without the session leader."""
    return [
        pid
        for pid, state, parent, its_session in processes()
        if state != "Z" and pid != session and session in (parent, its_session)
    ]


def processes() -> list[tuple[int, str, int, int]]:
    """(pid, state, parent, session) of every process; the state of a zombie is "Z"."""
    found = []
    with os.scandir("/proc") as entries:
        names = [entry.name for entry in entries if entry.name.isdigit()]
    for name in names:
        with contextlib.suppress(OSError), Path(f"/proc/{name}/stat").open("rb", 0) as file:
            # The name in brackets can contain brackets and spaces: split after the last bracket.
            state, parent, _, session = file.read().rpartition(b")")[2].split(maxsplit=4)[:4]
            found.append((int(name), state.decode(), int(parent), int(session)))
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

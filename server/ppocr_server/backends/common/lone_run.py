"""A run beside which no other runs takes more threads.

With one client nothing computes beside the detector: more threads make it faster. Beside other runs
they would take the cores of these. Each instance is a process, so all instances of a server look at
one lock: runs share it, and a lone one has it for itself. Nobody waits for it: what begins during a
lone run goes on without it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ppocr_engine.onnxruntime_session import SHARED_ARENA
from ppocr_engine.parameters import COUNT, LONE_RUN_THREADS, check, is_true
from ppocr_engine.session import Array, Feeds, Session
from ppocr_engine.spec import EngineSpec


def lone_spec(spec: EngineSpec, config: Mapping[str, Any]) -> EngineSpec | None:
    """What opens the network for lone runs, None where these are run like all others.

    Raises:
        EngineError: the number of threads is none.
    """
    stored = config.get("parameters", {}).get(LONE_RUN_THREADS, {})
    check("parameter", LONE_RUN_THREADS, value := stored.get("string_value", "0"), COUNT)
    if spec.backend != "onnxruntime" or not 0 < spec.threads < int(value):
        return None
    # Of each session's own, the memory of both would be kept; only one of them runs at a time.
    shared = {SHARED_ARENA: "1"} if is_true(spec.parameters.get("enable_mem_arena", "1")) else {}
    return replace(spec, threads=int(value), parameters={**spec.parameters, **shared})


def open_counted(path: Path, spec: EngineSpec, config: Mapping[str, Any]) -> Session:
    """Load a network; its runs count, for itself and all others of this server.

    Raises:
        EngineError: see `lone_spec` and `EngineSpec.open`.
    """
    lone, threads = None, ""
    if wide := lone_spec(spec, config):
        lone, threads = wide.open(path), f", threads of a lone run={wide.threads}"
        spec = replace(wide, threads=spec.threads)
    session = spec.open(path)
    lock = os.open(".", os.O_RDONLY)  # the working folder, which each server has of its own

    def locked(kind: int) -> bool:
        try:
            fcntl.flock(lock, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def run(feeds: Feeds, wanted: Sequence[str]) -> Mapping[str, Array]:
        chosen = lone if lone is not None and locked(fcntl.LOCK_EX) else session
        if chosen is session:
            locked(fcntl.LOCK_SH)
        try:
            return chosen.run(feeds, wanted)
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)

    return replace(session, run=run, description=session.description + threads)

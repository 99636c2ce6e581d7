"""Turn what Triton logs about a failed start into one readable sentence."""

from __future__ import annotations

import builtins
import re
import signal
from collections.abc import Iterable, Mapping

from ppocr_server.errors import KilledError, PortInUseError, ServerError

_STATUS = re.compile(r"^(Internal|Invalid argument|Unavailable|Not found|Unsupported|Unknown): ")
_EXCEPTION = re.compile(r"^(?:\w+\.)*(?P<name>\w*(?:Error|Exception)): ")
# Their names add nothing to the message; that of a KeyError, for instance, does.
_PLAIN = ("ValueError", "RuntimeError", "OSError", "Exception")
_ERROR_LINE = re.compile(r"^E\d{4} [\d:.]+ \d+ \S+\] \"?(.+?)\"?$", re.MULTILINE)
# If a model of an ensemble failed, Triton repeats its whole reason in that of the ensemble.
_REPEATED = re.compile(r" which has no loaded version\..*", re.DOTALL)
SIGNALLED = 128  # plus n: the status of a process that signal n ended
NO_REASON = "Triton gave no reason; see its log"
# Logged on every machine without a GPU; not a reason for a failed start.
_NOISE = ("CudaDriverHelper", "NVML", "DCGM", "CUDA memory pool", "pinned system memory")
# From the loader or from parsing the arguments, before Triton's own log begins.
_BEFORE_LOG = re.compile(r"^\S*tritonserver: (.+)$", re.MULTILINE)
_LOADED = re.compile(r"successfully loaded '([^']+)'")


def readable_reason(reason: str) -> str:
    """Triton's reason without status prefix, exception name, Python trace and line breaks."""
    text = reason.replace("\\n", "\n").strip()
    text = _REPEATED.sub(", which did not load", text)
    text = _STATUS.sub("", text.split("\n\nAt:\n")[0])
    found = _EXCEPTION.match(text)
    if found and (found["name"] in _PLAIN or not hasattr(builtins, found["name"])):
        text = text[found.end() :]
    return " ".join(text.split())


def failed_models(
    index: Iterable[Mapping[str, str]], expected: Iterable[str], log: str
) -> dict[str, str]:
    """Reason by name of the models that did not load, root causes before their dependants.

    Args:
        index: Triton's repository index. It has no model whose configuration cannot be read, and
            no reason for an ensemble; these are in the log only.
        expected: the names of the model folders.
        log: Triton's log so far, empty if it is not kept.
    """
    rows = {row["name"]: row for row in index}
    errors = _ERROR_LINE.findall(log)
    roots: dict[str, str] = {}
    others: dict[str, str] = {}
    for name in expected:
        row = rows.get(name, {})
        if row.get("state") == "READY":
            continue
        if reason := row.get("reason"):
            roots[name] = readable_reason(reason)
        else:
            mention = re.compile(rf"\b(?:ensemble|model|model directory) '?{re.escape(name)}'?[ :]")
            found = next((line for line in errors if mention.search(line)), NO_REASON)
            others[name] = readable_reason(found)
    return {**roots, **others}


def failure_message(reasons: Mapping[str, str]) -> str:
    """One line for one or more failed models."""
    (name, reason), *others = reasons.items()
    line = f"model '{name}' failed to load: {reason}"
    if others:
        line += "; also not loaded: " + ", ".join(f"'{other}'" for other, _ in others)
    return line


def last_error(log: str) -> str:
    """The last meaningful error line of Triton's log; empty if there is none."""
    lines = [line for line in _ERROR_LINE.findall(log) if not any(n in line for n in _NOISE)]
    lines = lines or _BEFORE_LOG.findall(log)[:1]
    return readable_reason(lines[-1]) if lines else ""


def loaded_models(log: str) -> set[str]:
    """Names of the models that Triton reports as loaded."""
    return set(_LOADED.findall(log))


def early_end(status: int, log: str, hint: str) -> ServerError:
    """The error for a tritonserver that ended before it was ready.

    Args:
        status: its exit status, 128 + n for signal n.
        log: all of its log.
        hint: end of the message: where the log is.
    """
    error = last_error(log)
    if "already in use" in error:
        return PortInUseError(f"tritonserver could not listen: {error}")
    if status > SIGNALLED:
        name = signal.Signals(status - SIGNALLED).name
        said = error or "it logged no error"
        return KilledError(f"{name} ended tritonserver while starting: {said}{hint}")
    said = error or f"exit status {status}"
    return ServerError(f"tritonserver ended while starting: {said}{hint}")

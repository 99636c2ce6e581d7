"""Turn what Triton says about a failed start into one readable sentence."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ppocr_server.health import ModelState

_STATUS = re.compile(r"^(Internal|Invalid argument|Unavailable|Not found|Unsupported|Unknown): ")
_EXCEPTION = re.compile(r"^(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception): ")
_POLL_FAILED = re.compile(r"Poll failed for model directory '([^']+)': (.+?)\"?$", re.MULTILINE)
_ERROR_LINE = re.compile(r"^E\d{4} [\d:.]+ \d+ \S+\] \"?(.+?)\"?$", re.MULTILINE)
# Printed on every machine without a GPU; says nothing about why a start failed.
_NOISE = ("CudaDriverHelper", "NVML", "DCGM", "CUDA memory pool", "pinned system memory")
_LOADED = re.compile(r"successfully loaded '([^']+)'")


def readable_reason(reason: str) -> str:
    """Triton's reason without status prefix, exception name, Python trace and line breaks."""
    text = reason.replace("\\n", "\n").strip()
    text = text.split("\n\nAt:\n")[0]
    text = _STATUS.sub("", text)
    text = _EXCEPTION.sub("", text)
    return " ".join(text.split())


def failed_models(index: Iterable[ModelState], expected: Iterable[str], log: str) -> dict[str, str]:
    """Reason by name of the models that did not load, root causes before their dependants.

    Args:
        index: Triton's repository index.
        expected: the model folders that should be there. Triton leaves a model whose
            configuration it cannot read out of its index; the reason is then in the log only.
        log: Triton's log so far, empty where it is not kept.
    """
    states = {row.name: row for row in index}
    polled = dict(_POLL_FAILED.findall(log))
    failed: dict[str, str] = {}
    for name in expected:
        row = states.get(name)
        if row is not None and row.state == "READY":
            continue
        reason = (row.reason if row is not None else "") or polled.get(name, "")
        failed[name] = readable_reason(reason)
    roots = {name: text for name, text in failed.items() if text and not _dependant(text)}
    rest = {
        name: readable if (readable := text) else "Triton gave no reason; see its log"
        for name, text in failed.items()
        if name not in roots
    }
    return {**roots, **rest}


def _dependant(reason: str) -> bool:
    """An ensemble that fails only because one of its models did."""
    return "ensemble" in reason and "depends on" in reason


def failure_message(reasons: Mapping[str, str]) -> str:
    """One line for one or several failed models."""
    first, *others = reasons.items()
    line = f"model '{first[0]}' failed to load: {first[1]}"
    if others:
        line += "; also not loaded: " + ", ".join(f"'{name}'" for name, _ in others)
    return line


def last_error(log: str) -> str:
    """The last error line of Triton's log that says something, empty when there is none."""
    lines = [line for line in _ERROR_LINE.findall(log) if not any(n in line for n in _NOISE)]
    return readable_reason(lines[-1]) if lines else ""


def loaded_models(log: str) -> set[str]:
    """Names of the models that Triton reports as loaded."""
    return set(_LOADED.findall(log))

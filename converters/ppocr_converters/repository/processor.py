"""The processor of this machine, as far as the speed and the precision of networks depend on it."""

from __future__ import annotations

import platform
from pathlib import Path

from ppocr_converters.repository.profiles import available_cores

CPUINFO = Path("/proc/cpuinfo")
#: Instructions that engines choose their kernels by.
FAMILIES = ("amx", "avx", "fma", "sse4", "asimd", "sve", "bf16", "i8mm")


def processor() -> dict[str, object]:
    """Its name, the cores that this process may run on, and what it can do.

    Where the system does not say, only the architecture and the cores.
    """
    stored: dict[str, str] = {}
    if CPUINFO.is_file():
        for line in CPUINFO.read_text("utf-8").splitlines():
            name, _, value = line.partition(":")
            stored.setdefault(name.strip(), value.strip())
    flags = (stored.get("flags") or stored.get("Features") or "").split()
    return {
        "name": stored.get("model name") or platform.machine(),
        "cores": available_cores(),
        "instructions": sorted(flag for flag in flags if flag.startswith(FAMILIES)),
    }

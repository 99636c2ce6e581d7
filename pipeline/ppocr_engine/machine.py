"""This machine, as far as the number, the speed and the precision of networks depend on it."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

ROOT = Path("/")
#: Where the processor says what it can do.
CPUINFO = Path("/proc/cpuinfo")
#: Instructions that engines choose their kernels by.
FAMILIES = ("amx", "avx", "fma", "sse4", "asimd", "sve", "bf16", "i8mm")


def available_cores(root: Path = ROOT) -> int:
    """Cores that this process may keep busy, rounded down, at least 1.

    The smallest of the affinity mask and the CPU quota of every control group above the process
    (cgroup v2 `cpu.max`, cgroup v1 `cpu.cfs_quota_us`). CPU shares and weights are no limits.
    """
    mask = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, int(min([mask or 1, *_quotas(root)])))


def _quotas(root: Path) -> Iterator[float]:
    """The CPU quotas of the control groups that this process is in, in cores."""
    membership = root / "proc/self/cgroup"
    if not membership.is_file():
        return
    mounts = root / "sys/fs/cgroup"
    for line in membership.read_text("utf-8").splitlines():
        _, controllers, group = line.split(":", 2)
        if not controllers:
            for mount in (mounts, mounts / "unified"):
                yield from _of_levels(mount, group, _quota_v2)
        elif "cpu" in controllers.split(","):
            for mount in (mounts / controllers, mounts / "cpu"):
                yield from _of_levels(mount, group, _quota_v1)


def _of_levels(mount: Path, group: str, quota: Callable[[Path], float | None]) -> Iterator[float]:
    """The quotas of a group and of those above it, up to the root of the hierarchy.

    In a container the root often is the container's own group, while `group` is its path on the
    host: levels that are not there say nothing.
    """
    path = PurePosixPath(group.lstrip("/"))
    for level in (path, *path.parents):
        if ".." not in level.parts and (found := quota(mount / level)) is not None:
            yield found


def _quota_v2(folder: Path) -> float | None:
    """Cores by `cpu.max`: "QUOTA PERIOD" in microseconds, or "max PERIOD" for no limit."""
    quota, period = [*_words(folder / "cpu.max"), "max", "100000"][:2]
    return None if quota == "max" else int(quota) / int(period)


def _quota_v1(folder: Path) -> float | None:
    """Cores by `cpu.cfs_quota_us` and `cpu.cfs_period_us`; -1 is no limit."""
    quota, period = _words(folder / "cpu.cfs_quota_us"), _words(folder / "cpu.cfs_period_us")
    if not quota or not period or int(quota[0]) < 0:
        return None
    return int(quota[0]) / int(period[0])


def _words(path: Path) -> list[str]:
    return path.read_text("utf-8").split() if path.is_file() else []


def has_bfloat16() -> bool:
    """Whether this processor computes in bfloat16 itself, by AVX512-BF16 or AMX.

    Raises:
        EngineError: OpenVINO, which is asked, is not installed.
    """
    from ppocr_engine.session import import_engine  # needs NumPy, which --help does without

    core = import_engine("openvino").Core()
    return "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def processor() -> dict[str, object]:
    """The processor's name, the cores that this process may use, and what it can do.

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

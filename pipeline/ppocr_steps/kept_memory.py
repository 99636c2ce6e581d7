"""Freed memory is kept for the next picture in every process that pictures pass through."""

from __future__ import annotations

import ctypes

# Parameters of glibc's mallopt, and bytes. A picture is copied a few times on its way. By default
# the memory goes back to the kernel after each request, and the next one pays for 900 page faults.
KEPT_MEMORY = {
    -1: 64 << 20,  # M_TRIM_THRESHOLD: unused memory that is kept
    -3: 32 << 20,  # M_MMAP_THRESHOLD, the largest that there is: longer blocks are given back
}


def keep_memory() -> None:
    """Keep freed memory for the next request; does nothing where the C library is not glibc."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for parameter, size in KEPT_MEMORY.items():
            mallopt(parameter, size)

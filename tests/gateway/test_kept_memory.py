"""A process that passes pictures on keeps freed memory for the next one."""

from __future__ import annotations

import subprocess
import sys

import pytest

LIKE_REQUESTS = """
import resource
from ppocr_server.event_loop import keep_memory

def faults():
    for _ in range(10):
        copies = [bytes([7]) * (1 << 20) for _ in range(6)]
        del copies
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

if {keep}:
    keep_memory()
before = faults()
print(faults() - before)
"""


@pytest.mark.parametrize("keep", [True, False])
def test_pages_are_not_asked_for_again(keep: bool) -> None:
    command = [sys.executable, "-c", LIKE_REQUESTS.format(keep=keep)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    # 60 MiB are 15,360 pages; by default the C library gives most of them back each time.
    assert (int(done.stdout) < 100) is keep

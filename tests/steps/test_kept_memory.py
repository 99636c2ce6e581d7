"""A process that passes pictures on keeps freed memory for the next one."""

import subprocess
import sys
from pathlib import Path

import pytest

LIKE_REQUESTS = """
import resource

def faults():
    for _ in range(10):
        copies = [bytes([7]) * (1 << 20) for _ in range(6)]
        del copies
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def measure():
    before = faults()
    print(faults() - before)

"""
KEEPERS = {
    "the gateway": """from ppocr_server.event_loop import run_loop
async def main():
    measure()
run_loop(main())""",
    "a step": """from steps.alone import steps_alone
with steps_alone() as load:
    load("det_postprocess")
    measure()""",
}


def faults(program: str) -> int:
    command = [sys.executable, "-c", LIKE_REQUESTS + program]
    folder = Path(__file__).parents[1]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder)
    return int(done.stdout)


# 60 MiB are 15,360 pages; by default the C library gives most of them back each time.
@pytest.mark.parametrize("who", KEEPERS)
def test_pages_are_not_asked_for_again(who):
    assert faults(KEEPERS[who]) < 100


def test_pages_are_asked_for_again_by_others():
    assert faults("measure()") > 100

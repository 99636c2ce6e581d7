"""Good and bad requests leave the memory as it was, and a step that leaks is found."""

import contextlib
from pathlib import Path
from shutil import copytree

import pytest

from ppocr_bench.load import closed_loop
from ppocr_bench.machine import memory_mib
from ppocr_client import OcrClient
from ppocr_client.errors import InvalidRequest
from ppocr_converters.pictures.render import encode_page, render_page
from ppocr_server.tritonserver.server import TritonServer

pytestmark = [pytest.mark.server, pytest.mark.nightly]
#: What the caches of a server that was warmed up may still grow by.
ALLOWED_MIB = 64

LEAK = '''

class Leaking(TritonPythonModel):
    """Keeps 24 MB of what it has seen, twice a second at the most."""

    kept, kept_at = [], 0.0

    def execute(self, requests):
        import time

        if time.monotonic() - Leaking.kept_at > 0.5:
            Leaking.kept_at = time.monotonic()
            Leaking.kept.append(b"x" * (24 << 20))
        return super().execute(requests)


TritonPythonModel = Leaking
'''


def growth_mib(repository: Path, seconds: float) -> float:
    """By how much a server's memory grows in so many seconds, after as many that warm it up."""
    sizes = ((3, 320), (4, 480), (5, 720))
    pages = [encode_page(render_page(seed=seed, lines=2, width=wide)) for seed, wide in sizes]
    files = [*pages, b"no picture " * 100, pages[0][: len(pages[0]) // 3]]
    with (
        TritonServer(repository, grace=0) as server,
        OcrClient(f"grpc://{server.grpc_url}", timeout=60) as client,
    ):

        def send(number: int) -> None:
            file = files[number % len(files)]
            with contextlib.nullcontext() if file in pages else pytest.raises(InvalidRequest):
                client.read(file)

        closed_loop(send, 4, seconds=seconds, items=len(files))
        before = memory_mib(server.pid)
        closed_loop(send, 4, seconds=seconds, items=len(files))
        return memory_mib(server.pid) - before


def test_memory_stays_as_it_was(repository):
    assert growth_mib(repository, 300) < ALLOWED_MIB


def test_a_step_that_leaks_is_found(repository, tmp_path):
    leaking = copytree(repository, tmp_path / "leaking")
    step = leaking / "det_preprocess" / "1" / "model.py"
    step.write_text(step.read_text("utf-8") + LEAK)
    assert growth_mib(leaking, 10) > ALLOWED_MIB

"""A process is killed under load: what is lost, and that all is well again."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from load import CLIENTS, under_load
from serving import Served, answers, eventually, instances, serving

from ppocr_client import OcrClient

pytestmark = pytest.mark.server
PICTURE = (Path(__file__).parents[2] / "samples" / "sign_vertical.jpg").read_bytes()
RECOVERY_SECONDS = 60.0
OTHERS = ["det_preprocess", "det", "recognize"]
ALL = "tritonserver"  # with which all of its processes go


def kill_one(served: Served, step: str, times: int) -> None:
    """Kill a process of a step; return when the server has been replaced that many times."""
    pid = int(served.errors().rsplit("pid ", 1)[1]) if times > 1 else served.ready["pid"]
    os.kill(pid if step == ALL else instances(pid)[f"{step}_0_0"], signal.SIGKILL)
    assert eventually(lambda: served.replaced(times), RECOVERY_SECONDS), served.errors()


@pytest.mark.parametrize(
    "steps", [["rec", ALL], pytest.param(OTHERS, marks=pytest.mark.nightly)], ids=["rec", "others"]
)
def test_only_what_was_in_that_process_is_lost(steps: list[str], repository: Path) -> None:
    with serving(repository) as served:
        url = f"grpc://{served.ready['grpc']}"
        with OcrClient(url) as client:
            expected = client.read(PICTURE).text
        for times, step in enumerate(steps, 1):
            with under_load(url, PICTURE, retries=100) as load:
                load.pass_requests(CLIENTS)
                kill_one(served, step, times)
                load.pass_requests(2 * CLIENTS)
            # Of each client no more than the one request that it had on its way. One whose
            # connection breaks is sent again.
            assert len(load.failed) <= (0 if step == ALL else CLIENTS), load.failed
            assert [reason for reason in load.failed if "is not healthy" not in reason] == []
            assert set(load.answered) == {expected}
        assert answers(f"{served.ready['http']}/v2/health/ready")

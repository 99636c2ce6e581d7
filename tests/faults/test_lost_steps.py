"""A process is killed under load: what is lost, and that all is well again."""

import os
import signal

import pytest
from load import CLIENTS, SLOW, add_slow_model, numbers_sent, under_load
from paths import SIGN
from serving import Served, answers, eventually, instances, serving

from ppocr_client import OcrClient

pytestmark = pytest.mark.server
PICTURE = SIGN.read_bytes()
RECOVERY_SECONDS = 60.0


def kill_and_recover(served: Served, step: str | None, times: int) -> None:
    """Kill a process of a step, or all; return when the server was replaced that many times."""
    pid = int(served.errors().rsplit("pid ", 1)[1]) if times > 1 else served.ready["pid"]
    os.kill(pid if step is None else instances(pid)[f"{step}_0_0"], signal.SIGKILL)
    assert eventually(lambda: served.replaced(times), RECOVERY_SECONDS), served.errors()


def test_only_what_was_in_that_process_is_lost(tmp_path):
    add_slow_model(tmp_path)
    with serving(tmp_path) as served:
        for times, step in enumerate([SLOW, None], 1):
            with numbers_sent(served.ready["grpc"]) as load:
                load.pass_requests(CLIENTS)
                kill_and_recover(served, step, times)
                load.pass_requests(2 * CLIENTS)
            # Of each client no more than the one request that it had on its way. One whose
            # connection breaks is sent again.
            assert len(load.failed) <= (CLIENTS if step else 0), load.failed
            assert [reason for reason in load.failed if "is not healthy" not in reason] == []
            assert set(load.answered) == {"right"}
        assert answers(f"{served.ready['http']}/v2/health/ready")


@pytest.mark.nightly
def test_no_text_is_wrong_whichever_step_is_lost(repository):
    with serving(repository) as served:
        url = f"grpc://{served.ready['grpc']}"
        with OcrClient(url) as client:
            expected = client.read(PICTURE).text
        for times, step in enumerate(["det_preprocess", "det", "recognize", "rec"], 1):
            with under_load(url, PICTURE, retries=100) as load:
                load.pass_requests(CLIENTS)
                kill_and_recover(served, step, times)
                load.pass_requests(2 * CLIENTS)
            assert len(load.failed) <= CLIENTS, load.failed
            assert set(load.answered) == {expected}

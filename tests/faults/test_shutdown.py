"""A signal to end, with many requests on their way."""

import os
import signal
import threading
import time

import pytest
from paths import SIGN
from serving import eventually, is_gone, serving

from ppocr_client import OcrClient
from ppocr_client.errors import OcrError, ServerBusy, ServerError, ServerUnavailable

pytestmark = pytest.mark.server
PICTURE = SIGN.read_bytes()
REQUESTS = 50
GRACE = 3
# Killing, collecting and unlinking, on a machine that has other things to do.
MARGIN = 15.0


def test_every_request_ends_within_the_grace_time(repository):
    ends: list[OcrError | None] = []

    def read(url: str) -> None:
        with OcrClient(url, retries=0, timeout=120) as client:
            try:
                client.read(PICTURE)
                ends.append(None)
            except OcrError as error:
                ends.append(error)

    with serving(repository, "--grace", str(GRACE)) as served:
        session = os.getsid(served.ready["pid"])
        url = f"grpc://{served.ready['grpc']}"
        clients = [threading.Thread(target=read, args=(url,)) for _ in range(REQUESTS)]
        for client in clients:
            client.start()
        assert eventually(lambda: None in ends, 60)
        asked = time.monotonic()
        served.process.send_signal(signal.SIGTERM)
        for client in clients:
            client.join()
        assert time.monotonic() - asked < GRACE + MARGIN
        assert served.process.wait(MARGIN) == 0
        assert len(ends) == REQUESTS
        errors = [error for error in ends if error is not None]
        # Some were too many from the start. What `rec` is asked fails as the step that asks.
        clear = ServerUnavailable | ServerError | ServerBusy
        others = [error for error in errors if not isinstance(error, clear)]
        assert others == []
        assert all(error.reason for error in errors)
        assert is_gone(session, f"ppocr-{served.process.pid}-")

"""A /dev/shm that is too small from the start, and one that a large picture fills."""

import subprocess
from pathlib import Path

import cv2
import pytest
from faults.small_disk import small_disk
from serving import FREE, SERVE, answers, serving

from ppocr_client import OcrClient
from ppocr_client.errors import OcrError, ServerUnavailable

pytestmark = pytest.mark.server
SHARED_MEMORY = Path("/dev/shm")
SAMPLE = Path(__file__).parents[2] / "samples" / "sign_vertical.jpg"


def test_too_little_to_start_is_told_before_and_after(small_repository: Path) -> None:
    arguments = ["--model-repository", str(small_repository), *FREE, "--", "true"]
    with small_disk(SHARED_MEMORY, "512k") as disk:
        done = subprocess.run(
            disk.inside([*SERVE, *arguments]), capture_output=True, text=True, timeout=120
        )
    assert done.returncode == 1
    told, failure = done.stderr.splitlines()[0], done.stderr.splitlines()[-1]
    assert "/dev/shm has 0 MiB free" in told
    assert "need 17 MiB for small pictures (small 17)" in told
    assert "docker run --shm-size" in told
    assert "model 'small' failed to load" in failure
    assert "shared memory" in failure
    assert "Traceback" not in done.stderr


def test_a_picture_that_fills_it_fails_alone(repository: Path) -> None:
    picture = cv2.imread(str(SAMPLE))
    large = cv2.imencode(".jpg", cv2.resize(picture, (7000, 7000)))[1].tobytes()
    small = SAMPLE.read_bytes()
    with (
        small_disk(SHARED_MEMORY, "190m") as disk,
        serving(repository, "--grace", "0", inside=disk.inside) as served,
        OcrClient(f"grpc://{served.ready['grpc']}", retries=0, timeout=120) as client,
    ):
        expected = client.read(small).text
        with pytest.raises(OcrError) as refused:
            client.read(large)
        assert not isinstance(refused.value, ServerUnavailable), refused.value
        assert "shared memory" in refused.value.reason
        assert [client.read(small).text for _ in range(4)] == [expected] * 4
        assert answers(f"{served.ready['http']}/v2/health/ready")
        assert "restart" not in served.errors()

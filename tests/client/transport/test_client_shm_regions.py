"""Big pictures through memory that the client and the server share."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from client.samples import SIGN, TEXTS, wait_until
from PIL import Image

from ppocr_client import AsyncOcrClient, OcrClient
from ppocr_client.documents.pictures import encode_pixels
from ppocr_client.errors import DeadlineExceeded, ImageError
from ppocr_client.transport import shm_regions
from ppocr_client.transport.base import Query, Register, Unregister
from ppocr_client.transport.shm_regions import PREFIX, Region, RegionPool, orphans, supports_regions
from ppocr_client.transport.shm_requests import unregister


@pytest.fixture(scope="module")
def big() -> bytes:
    """A picture of 9 MiB with two lines of text."""
    page = Image.new("RGB", (1800, 1750), "white")
    with Image.open(SIGN) as sign:
        page.paste(sign, (100, 100))
    return encode_pixels(np.asarray(page), "RGB")


@pytest.fixture(scope="module")
def plain(server, big):
    """What is read without shared memory."""
    with pytest.MonkeyPatch.context() as patch, OcrClient(server.grpc_url) as client:
        patch.setattr(shm_regions, "SMALLEST", 1 << 40)
        result = client.read(big)
    assert [line.text for line in result.lines] == TEXTS
    return result


def registered(client: OcrClient) -> list[str]:
    regions = client._transport.send(Query("memory"), 10)
    return [region["name"] for region in regions if region["name"].startswith(PREFIX)]


@pytest.mark.server
def test_a_region_is_used_again_and_gone_at_the_end(url, big, plain):
    with OcrClient(url) as client, OcrClient(url) as other:
        assert client.read(big) == plain
        (name,) = registered(other)
        assert client.read(big) == client.read(big) == plain
        assert client.recognize(big, client.detect(big)) == plain
        assert registered(other) == [name]
        with pytest.raises(ImageError):
            client.read(b"no picture" + bytes(9 << 20))
        assert client.read(big) == plain
        assert registered(other) == [name]
        assert not list(Path("/dev/shm").glob(f"{PREFIX}-{os.getpid()}-*"))
        client.close()
        assert registered(other) == []


@pytest.mark.server
def test_requests_at_the_same_time_have_regions_of_their_own(url, big, plain):
    with OcrClient(url) as client, ThreadPoolExecutor(3) as pool:
        assert all(result == plain for result in pool.map(client.read, [big] * 6))
        assert 1 <= len(registered(client)) <= 3

    async def ask():
        async with AsyncOcrClient(url) as client:
            return await asyncio.gather(*(client.read(big) for _ in range(3)))

    assert asyncio.run(ask()) == [plain] * 3


@pytest.mark.server
def test_a_region_whose_request_was_given_up_is_not_used_again(url, big, plain):
    with OcrClient(url) as client:
        assert client.read(big) == plain
        (first,) = registered(client)
        with pytest.raises(DeadlineExceeded, match=r"within 0\.03 s"):
            client.read(big, timeout=0.03)
        assert client._protocol.regions.abandoned() == [first]
        assert client.read(big) == plain
        regions = client._protocol.regions

        def unregistered() -> bool:
            client._run(unregister(regions, regions.abandoned()))
            return not regions.abandoned()

        wait_until(unregistered, 20)
        assert first not in registered(client)


@pytest.mark.server
def test_a_task_that_is_cancelled_gives_its_region_up(url, big):
    async def ask():
        async with AsyncOcrClient(url) as client:
            await client.read(big)
            task = asyncio.create_task(client.read(big))
            while client._protocol.regions._idle:  # until the request has taken the region
                await asyncio.sleep(0.001)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            regions = client._protocol.regions
            counts = len(regions.abandoned()), len(regions._idle)
            while regions.abandoned():  # the server reads it no longer than its answer takes
                await asyncio.sleep(0.05)
                await client._run(unregister(regions, regions.abandoned()))
            return counts

    assert asyncio.run(asyncio.wait_for(ask(), 60)) == (1, 0)


@pytest.mark.server
def test_a_server_that_knows_the_region_no_more_gets_the_picture(url, big, plain):
    with OcrClient(url) as client, OcrClient(url) as other:
        client.read(big)
        (name,) = registered(other)
        other._transport.send(Unregister(name), 10)
        assert client.read(big) == plain
        assert client.read(big) == plain
        assert registered(other) != [name]


@pytest.mark.server
def test_a_server_that_sees_other_memory_gets_the_picture(url, big, plain, tmp_path, monkeypatch):
    monkeypatch.setattr(shm_regions, "FOLDER", tmp_path)
    with OcrClient(url) as client:
        assert client.read(big) == plain
        assert not client._protocol.regions.suits(len(big))
        assert registered(client) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.server
def test_what_a_killed_client_left_is_unregistered_by_the_next(url, big, monkeypatch):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    region = Region(10)
    with OcrClient(url) as client:
        left = f"{PREFIX}-{ended.pid}-0"
        (Path("/dev/shm") / region.name).rename(Path("/dev/shm") / left)
        client._transport.send(Register(left, region.size), 10)
        (Path("/dev/shm") / left).unlink()
        assert left in registered(client)
        client.read(big)
        assert left not in registered(client)


def test_only_this_machine_and_only_big_pictures():
    size = shm_regions.SMALLEST
    for host in ("127.0.0.1", "localhost", "::1"):
        assert RegionPool(host, secure=False).suits(size)
        assert not RegionPool(host, secure=False).suits(size - 1)
        assert not RegionPool(host, secure=True).suits(size)
    for host in ("10.0.0.7", "ocr.example"):
        assert not RegionPool(host, secure=False).suits(size)


def test_old_servers_are_given_none():
    assert supports_regions("2.51.0")
    assert supports_regions("3.0")
    assert not supports_regions("2.49.1")
    assert not supports_regions("dev")


def test_other_programs_regions_are_left_alone():
    mine = f"{PREFIX}-{os.getpid()}-abc"
    assert orphans([mine, "model_input", f"{PREFIX}-x-1"]) == []
    assert orphans([f"{PREFIX}-{2**22 + 1}-1"]) == [f"{PREFIX}-{2**22 + 1}-1"]


def test_no_more_regions_than_enough():
    memory = RegionPool("localhost", secure=False)
    regions = [memory.create(10) for _ in range(shm_regions.MOST_REGIONS + 1)]
    assert regions.pop() is None
    for region in regions:
        assert region is not None
        region.unlink()
        memory.release(region)
    assert memory.acquire(10) is regions[0]
    assert memory.acquire(2 * shm_regions.STEP) is None

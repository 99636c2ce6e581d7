"""Requests whose picture is in a shared memory region, and the regions' life on the server."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ppocr_client.errors import (
    DeadlineExceeded,
    InvalidRequest,
    ModelNotFound,
    OcrError,
    ServerBusy,
    ServerError,
    ServerUnavailable,
)
from ppocr_client.transport.actions import Actions, Call, Request, Sleep
from ppocr_client.transport.base import Infer, Query, Register, Unregister
from ppocr_client.transport.shm_regions import Region, RegionPool, orphans, supports_regions

REGISTER_SECONDS = 2.0  # for the server to open or close a region


def infer_shared(
    pool: RegionPool, picture: bytes, infer: Infer, timeout: float, *, retried: bool
) -> Actions[Any]:
    """The answer to a request whose picture is in a region; the request is sent once.

    None if the picture has to be sent itself: no region is free, a restarted server does not know
    the region, or the server is unavailable or busy and the request may be retried.
    """
    region = pool.acquire(len(picture))
    if region is None:
        region = yield from _new_region(pool, len(picture), timeout)
    if region is None:
        return None
    answered = False
    try:
        shared = yield Call(lambda: region.write(picture))
        operation = infer._replace(inputs={"IMAGE": shared, **infer.inputs})
        answer = yield Request(operation, timeout)
        answered = True
        return answer
    except (ServerBusy, ServerUnavailable) as error:
        answered = isinstance(error, ServerBusy)
        if not retried:
            raise
    except (InvalidRequest, ModelNotFound, ServerError) as error:
        answered = region.name not in error.reason
        if answered:
            raise
    finally:
        # After anything else, such as a cancelled task, the server may still read the region.
        (pool.release if answered else pool.abandon)(region)
    return None


def _new_region(pool: RegionPool, size: int, timeout: float) -> Actions[Region | None]:
    """A registered region; None if the server accepts none."""
    seconds = min(timeout, REGISTER_SECONDS)
    try:
        if not pool.checked:
            server = yield Request(Query("server"), seconds)
            if not supports_regions(str(server["version"])):
                pool.disable()
                return None
            regions = yield Request(Query("memory"), seconds)
            for name in orphans(region["name"] for region in regions):
                yield Request(Unregister(name), seconds)
            pool.checked = True
    except OcrError:
        pool.disable()
        return None
    yield from unregister(pool, pool.abandoned())
    region = pool.create(size)
    if region is None:
        return None
    try:
        yield Request(Register(region.name, region.size), seconds)
    except OcrError:
        # A forwarded port to another machine, another user, or a proxy that forbids it.
        pool.drop()
        pool.disable()
        return None
    finally:
        region.unlink()
    return region


def unregister(pool: RegionPool, names: Iterable[str]) -> Actions[None]:
    """Unregister regions; one that the server still reads stays and is tried again later.

    Triton 2.52 and newer remember the request and unregister the region themselves.
    """
    away = False
    for name in names:
        try:
            if not away:
                yield Request(Unregister(name), REGISTER_SECONDS)
        except (ServerUnavailable, DeadlineExceeded):
            away = True  # a restarted server knows none of them
        except OcrError:
            continue
        pool.drop(name)


def unregister_all(pool: RegionPool) -> Actions[None]:
    """Unregister all regions; wait up to a second for those that the server still reads."""
    names = pool.close()
    for _ in range(5):
        yield from unregister(pool, names)
        names = pool.abandoned()
        if not names:
            return
        yield Sleep(0.2)

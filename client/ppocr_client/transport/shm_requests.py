"""Questions whose picture lies in shared memory, and what becomes of the regions."""

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
from ppocr_client.transport.actions import Do, Pause, Plan, Send
from ppocr_client.transport.base import Infer, Look, Register, Unregister
from ppocr_client.transport.shared_memory import Region, SharedMemory, abandoned, can_share

REGISTER_SECONDS = 2.0  # for the server to open or close a region


def ask_sharing(
    memory: SharedMemory, picture: bytes, question: Infer, timeout: float, *, retried: bool
) -> Plan[Any]:
    """The answer to a question whose picture is in a region; the question is sent once.

    None if the picture is to be sent itself: there is no region for it, the server was started
    anew and does not know the region, or it is away or busy and the question may be sent again.
    """
    region = memory.take(len(picture))
    if region is None:
        region = yield from _new_region(memory, len(picture), timeout)
    if region is None:
        return None
    answered = False
    try:
        shared = yield Do(lambda: region.write(picture))
        whole = question._replace(inputs={"IMAGE": shared, **question.inputs})
        answer = yield Send(whole, timeout)
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
        # Whatever else happens here, such as the end of the task, leaves the server reading.
        (memory.give_back if answered else memory.give_up)(region)
    return None


def _new_region(memory: SharedMemory, size: int, timeout: float) -> Plan[Region | None]:
    """A region that is registered; None if the server will have none."""
    seconds = min(timeout, REGISTER_SECONDS)
    try:
        if not memory.known:
            server = yield Send(Look("server"), seconds)
            if not can_share(str(server["version"])):
                memory.refuse()
                return None
            regions = yield Send(Look("memory"), seconds)
            for name in abandoned(region["name"] for region in regions):
                yield Send(Unregister(name), seconds)
            memory.known = True
    except OcrError:
        memory.refuse()
        return None
    yield from unregister(memory, memory.given_up())
    region = memory.create(size)
    if region is None:
        return None
    try:
        yield Send(Register(region.name, region.size), seconds)
    except OcrError:
        # Another machine behind a forwarded port, another user, or a proxy that lets nobody.
        memory.forget()
        memory.refuse()
        return None
    finally:
        region.unlink()
    return region


def unregister(memory: SharedMemory, names: Iterable[str]) -> Plan[None]:
    """Unregister regions; one that the server still reads stays, and is tried again another time.

    From version 2.52 on the server remembers and does it by itself.
    """
    away = False
    for name in names:
        try:
            if not away:
                yield Send(Unregister(name), REGISTER_SECONDS)
        except (ServerUnavailable, DeadlineExceeded):
            away = True  # a server that is started again knows none of them
        except OcrError:
            continue
        memory.forget(name)


def end_sharing(memory: SharedMemory) -> Plan[None]:
    """Unregister all regions; for those that the server still reads, wait up to a second."""
    names = memory.close()
    for _ in range(5):
        yield from unregister(memory, names)
        names = memory.given_up()
        if not names:
            return
        yield Pause(0.2)

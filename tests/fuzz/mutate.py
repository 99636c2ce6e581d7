"""Small changes to bytes and to lists of parts, each decided by a random number generator alone."""

from collections.abc import Callable
from random import Random
from typing import TypeVar

Item = TypeVar("Item")

# Where sizes, counts and offsets turn over.
EDGES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000)
WIDE_EDGES = (*EDGES, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63 - 1, 2**63, 2**64 - 1)


def mutate_bytes(data: bytes, random: Random) -> bytes:
    """Change bytes in one to four places."""
    changed = bytearray(data)
    for _ in range(random.randint(1, 4)):
        random.choice(CHANGES)(changed, random)
    return bytes(changed)


def mutate_list(items: list[Item], random: Random, change: Callable[[Item], Item]) -> list[Item]:
    """Drop, repeat or swap items, or change one; most often the last."""
    changed = list(items)
    if not changed:
        return changed
    here, there = random.randrange(len(changed)), random.randrange(len(changed))
    kind = random.randrange(8)
    if kind == 0:
        del changed[here]
    elif kind == 1:
        changed.insert(there, changed[here])
    elif kind == 2:
        changed[here], changed[there] = changed[there], changed[here]
    else:
        changed[here] = change(changed[here])
    return changed


def _flip(data: bytearray, random: Random) -> None:
    if data:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _edge(data: bytearray, random: Random) -> None:
    size, order = random.choice((1, 2, 4, 8)), random.choice(("little", "big"))
    edges = [edge for edge in WIDE_EDGES if edge < 1 << 8 * size]
    if len(data) >= size:
        at = random.randrange(len(data) - size + 1)
        data[at : at + size] = random.choice(edges).to_bytes(size, order)  # type: ignore[arg-type]


def _span(data: bytearray, random: Random) -> slice:
    start = random.randrange(len(data) + 1)
    return slice(start, start + random.choice((1, 2, 4, 8, 16, 64)))


def _delete(data: bytearray, random: Random) -> None:
    del data[_span(data, random)]


def _repeat(data: bytearray, random: Random) -> None:
    span = _span(data, random)
    data[span.start : span.start] = data[span] * random.choice((1, 1, 1, 16))


def _insert(data: bytearray, random: Random) -> None:
    at = random.randrange(len(data) + 1)
    data[at:at] = random.randbytes(random.choice((1, 2, 4, 8)))


def _truncate(data: bytearray, random: Random) -> None:
    del data[random.randrange(len(data) + 1) :]


CHANGES: tuple[Callable[[bytearray, Random], None], ...] = (
    *[_flip] * 4,
    *[_edge] * 4,
    _delete,
    _repeat,
    _insert,
    _truncate,
)

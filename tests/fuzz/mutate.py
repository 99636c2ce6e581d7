"""Small changes to bytes and to lists of parts, each decided by a random number generator alone."""

from collections.abc import Callable
from random import Random
from typing import TypeVar

Item = TypeVar("Item")

# Where sizes, counts and offsets turn over.
EDGES = (0, 1, 2, *(2**bits + more for bits in (7, 8, 15, 16, 31, 32, 63, 64) for more in (-1, 0)))
CHANGES = (*("flip", "edge") * 4, "drop", "repeat", "insert", "cut")


def mutate_bytes(data: bytes, random: Random) -> bytes:
    """Change bytes in one to four places."""
    for _ in range(random.randint(1, 4)):
        at, size = random.randrange(len(data) + 1), random.choice((1, 2, 4, 8, 16, 64))
        here, rest = data[at : at + size], data[at + size :]
        kind = random.choice(CHANGES)
        if kind == "flip":
            here = bytes(byte ^ 1 << random.randrange(8) for byte in here[:1]) + here[1:]
        elif kind == "edge":
            here, rest = _edge(min(size, 8), random), data[at + min(size, 8) :]
        elif kind == "repeat":
            here *= random.choice((2, 2, 2, 17))
        elif kind == "insert":
            here = random.randbytes(min(size, 8)) + here
        else:
            here, rest = b"", rest if kind == "drop" else b""
        data = data[:at] + here + rest
    return data


def _edge(size: int, random: Random) -> bytes:
    edge = random.choice([edge for edge in EDGES if edge < 1 << 8 * size])
    return edge.to_bytes(size, "little" if random.random() < 0.5 else "big")


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

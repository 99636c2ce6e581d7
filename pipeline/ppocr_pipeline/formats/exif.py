"""A directory of tags, as in TIFF files and in EXIF data; and the orientation in it.

Only the first directory is read, and of its values only what is asked for: a file of a few bytes
can claim values of gigabytes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

ORIENTATION = 0x0112
ORDERS = {b"II": "<", b"MM": ">"}
CLASSIC, BIG = 42, 43
# Of the types of values, those of whole numbers without a sign.
WHOLE = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8"}
# Bytes of a value of each type.
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
MAX_ENTRIES = 4096  # real files have dozens


@dataclass(frozen=True)
class Directory:
    """The first directory of tags in `data`.

    Attributes:
        data: the whole file.
        order: of its bytes, "<" or ">".
        big: whether offsets have 8 bytes (BigTIFF) in place of 4.
        entries: the bytes of each entry by its tag.
    """

    data: bytes
    order: str
    big: bool
    entries: dict[int, bytes]

    def value(self, tag: int) -> tuple[int, bytes]:
        """The type of a tag's value and its bytes, those within the entry where they fit there.

        Raises:
            ValueError: the value is of no known type, or lies outside the file.
        """
        entry, offset = self.entries[tag], "Q" if self.big else "I"
        _, kind, count = struct.unpack_from(f"{self.order}HH{offset}", entry)
        source, place = entry, 4 + struct.calcsize(offset)
        length = count * SIZES.get(kind, 0)
        if place + length > len(entry):
            source, (place,) = self.data, struct.unpack_from(self.order + offset, entry, place)
        if kind not in SIZES or place + length > len(source):
            raise ValueError(f"the value of its tag {tag} lies outside the file")
        return kind, source[place : place + length]

    def whole(self, tag: int) -> np.ndarray:
        """The whole numbers of a tag, empty without it.

        Raises:
            ValueError: see `value`, or it is no whole number.
        """
        if tag not in self.entries:
            return np.empty(0, np.int64)
        kind, value = self.value(tag)
        if kind not in WHOLE:
            raise ValueError(f"its tag {tag} is no whole number")
        numbers = np.frombuffer(value, self.order + WHOLE[kind])
        return np.minimum(numbers, np.iinfo(np.int64).max // 2).astype(np.int64)

    def one(self, tag: int, default: int) -> int:
        """The first whole number of a tag."""
        found = self.whole(tag)
        return int(found[0]) if len(found) else default


def read_directory(data: bytes) -> Directory:
    """The first directory of a TIFF file, or of EXIF data.

    Raises:
        ValueError: there is none, or it lies outside the data.
    """
    order = ORDERS.get(data[:2])
    if order is None or len(data) < 16:
        raise ValueError("it has no directory of tags")
    version, place = struct.unpack_from(order + "HI", data, 2)
    big = version == BIG
    if big:
        (place,) = struct.unpack_from(order + "Q", data, 8)
    elif version != CLASSIC:
        raise ValueError("it has no directory of tags")
    counter, size = (order + "Q", 20) if big else (order + "H", 12)
    start = place + struct.calcsize(counter)
    if start > len(data):
        raise ValueError("its directory of tags lies outside the file")
    (count,) = struct.unpack_from(counter, data, place)
    if count > MAX_ENTRIES or start + count * size > len(data):
        raise ValueError(f"its directory of {count} tags lies outside the file")
    rows = [data[start + row * size : start + (row + 1) * size] for row in range(count)]
    tags = [struct.unpack_from(order + "H", row)[0] for row in rows]
    return Directory(data, order, big, dict(zip(tags, rows, strict=True)))


def orientation_of(data: bytes) -> int:
    """The EXIF orientation, 1 to 8; 1 where there is none that can be read."""
    try:
        orientation = read_directory(data).one(ORIENTATION, 1)
    except ValueError:
        return 1
    return orientation if 1 <= orientation <= 8 else 1

"""Any classes become texts, or are refused; so does any dictionary."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import numpy as np

from ppocr_pipeline import ctc

from ..mutate import mutate_bytes

FOLDER = TemporaryDirectory(prefix="ppocr-fuzz-")
# Rows, steps, the recogniser's classes, and bytes of the dictionary that follows.
HEAD = struct.Struct("<BBBB")


def one_input(data: bytes) -> None:
    """Load a dictionary and decode a batch with it."""
    data = data.ljust(HEAD.size, b"\0")
    rows, steps, classes, length = HEAD.unpack_from(data)
    path = Path(FOLDER.name) / "dictionary.txt"
    path.write_bytes(data[HEAD.size : HEAD.size + length])
    try:
        characters = ctc.load_dictionary(path, classes)
    except ValueError as error:
        assert str(path) in str(error)
        characters = ["a", "b", "c"]
    body = data[HEAD.size + length :] or b"\0"
    body = body.ljust(-(-len(body) // 4) * 4, b"\0")
    shape = rows % 9, steps % 17
    indices = np.resize(np.frombuffer(body, "<i4"), shape)
    probabilities = np.resize(np.frombuffer(body, "<u4"), shape).astype(np.float32) / 2**32
    try:
        texts, scores = ctc.ctc_decode(indices, probabilities, characters)
    except ValueError as error:
        assert "allowed" in str(error)
        return
    assert len(texts) == len(scores) == len(indices)
    assert scores.dtype == np.float32
    assert ((scores >= 0) & (scores <= 1)).all()
    for text, score, row in zip(texts, scores, indices, strict=True):
        assert (score == 0) or row.any()
        # A repeat is one character, so there are never more of them than steps.
        assert len(text) <= np.count_nonzero(row) * max(map(len, characters), default=0)


def seeds() -> Iterator[bytes]:
    """A good batch, a dictionary that does not fit, and none of either."""
    dictionary = "一\nb\n \nc".encode()
    classes = np.array([[0, 1, 1, 0, 2], [3, 4, 4, 4, 1]], "<i4").tobytes()
    for count in (5, 6):
        yield HEAD.pack(2, 5, count, len(dictionary)) + dictionary + classes
    yield HEAD.pack(2, 5, 3, 2) + b"\xff\n" + classes
    yield HEAD.pack(0, 5, 1, 0)
    yield HEAD.pack(3, 0, 1, 0)


def mutate(data: bytes, random: Random) -> bytes:
    """Change bytes."""
    return mutate_bytes(data, random)

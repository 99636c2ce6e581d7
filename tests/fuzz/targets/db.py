"""Any map becomes boxes inside the picture in an order, or is refused with a reason."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from random import Random

import cv2
import numpy as np

from ppocr_pipeline import db
from ppocr_pipeline.order.rows import row_order

from ..mutate import WIDE_EDGES, mutate_bytes

# Sides of the map, sides of the picture, four settings in 255ths, and three switches.
HEAD = struct.Struct("<BBii4B3?")
LAYOUTS = ("float32", "bytes", "blobs")


def one_input(data: bytes) -> None:
    """Decode a map, and order what is found."""
    data = data.ljust(HEAD.size, b"\0")
    map_height, map_width, height, width, *settings = HEAD.unpack_from(data)
    thresh, box_thresh, ratio, layout, slow, dilated, old = settings
    map_size = map_height % 97, map_width % 97
    probability = read_map(data[HEAD.size :], map_size, LAYOUTS[layout % len(LAYOUTS)])
    reference = "paddle_serving" if old else "paddleocr"
    try:
        boxes, scores = db.decode_boxes(
            probability,
            height,
            width,
            thresh=thresh / 255,
            box_thresh=box_thresh / 255,
            unclip_ratio=0.1 + ratio / 255 * 9.9,
            score_mode="slow" if slow else "fast",
            use_dilation=dilated,
            reference=reference,
        )
    except ValueError as error:
        assert "allowed" in str(error)
        return
    assert boxes.shape == (len(scores), 4, 2)
    assert boxes.dtype == scores.dtype == np.float32
    assert np.isfinite(scores).all()
    assert ((boxes >= 0) & (boxes <= [width - 1, height - 1])).all()
    assert (boxes == boxes.round()).all()
    assert sorted(row_order(boxes, reference)) == list(range(len(boxes)))


def read_map(body: bytes, size: tuple[int, int], layout: str) -> np.ndarray:
    """The bytes as a map: float32 as they are, a byte a pixel, or a rotated rectangle in five."""
    if layout == "blobs":
        probability = np.zeros(size, np.float32)
        for x, y, width, height, angle in zip(*[iter(body)] * 5, strict=False):
            corners = cv2.boxPoints(((x, y), (width, height), angle)).astype(np.int32)
            if probability.size:
                cv2.fillPoly(probability, [corners], 0.5 + angle / 512)
        return probability
    dtype = np.dtype("<f4") if layout == "float32" else np.dtype(np.uint8)
    body = body[: len(body) // dtype.itemsize * dtype.itemsize] or bytes(dtype.itemsize)
    values = np.resize(np.frombuffer(body, dtype), size)
    return values.astype(np.float32) / (1 if layout == "float32" else 255)


def seeds() -> Iterator[bytes]:
    """Noise, blobs, a full map and an empty one."""
    random = Random(0)
    for layout in range(len(LAYOUTS)):
        for switches in range(8):
            head = (
                64,
                96,
                640,
                960,
                76,
                100,
                38,
                layout,
                *(bool(switches >> n & 1) for n in range(3)),
            )
            yield HEAD.pack(*head) + random.randbytes(60)
    yield HEAD.pack(96, 96, 96, 96, 76, 153, 38, 1, False, False, False) + b"\xff"
    yield HEAD.pack(0, 0, 0, 0, 0, 0, 0, 0, False, False, False)


def mutate(data: bytes, random: Random) -> bytes:
    """Change bytes, or put a special number where one is read."""
    if random.random() < 0.5 or len(data) < HEAD.size + 4:
        return mutate_bytes(data, random)
    changed = bytearray(data)
    if random.random() < 0.5:
        side = random.choice([edge for edge in WIDE_EDGES if edge < 1 << 32])
        struct.pack_into("<I", changed, random.choice((2, 6)), side)
    else:
        special = random.choice((np.nan, np.inf, -np.inf, -1.0, 1e38, 1e-45, 2.0, 1.0))
        struct.pack_into("<f", changed, random.randrange(HEAD.size, len(changed) - 3), special)
    return bytes(changed)

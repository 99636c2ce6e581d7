"""Tiles of one size that overlap and cover a picture, and one map made of theirs."""

from __future__ import annotations

import math
from itertools import product

import numpy as np

from ppocr_pipeline.resize import next_stride

OVERLAP = 96  # pixels of the detector's input: four lines of the letters that tiles are made for


def tile_grid(height: int, width: int, side: int) -> np.ndarray:
    """The fewest tiles that cover a picture, evenly spread.

    Args:
        height: of the picture, pixels.
        width: of the picture, pixels.
        side: of a tile, at the most; a multiple of 32, more than OVERLAP.

    Returns:
        int32 [N, 4], row by row: top, left, height and width of each, in pixels of the picture.
        All have one size; neighbours share OVERLAP pixels or more.
    """
    (tops, high), (lefts, wide) = _spread(height, side), _spread(width, side)
    return np.array([(*at, high, wide) for at in product(tops, lefts)], np.int32)


def tiles_along(length: int, side: int) -> int:
    """How many tiles of a side cover a length."""
    return max(1, math.ceil((length - OVERLAP) / (side - OVERLAP)))


def _spread(length: int, side: int) -> tuple[list[int], int]:
    """Where the tiles begin along one side, and how long they are."""
    if length <= side:
        return [0], length
    count = tiles_along(length, side)
    own = next_stride(math.ceil((length + (count - 1) * OVERLAP) / count))
    return [round(i * (length - own) / (count - 1)) for i in range(count)], own


def join_maps(maps: np.ndarray, tiles: np.ndarray) -> np.ndarray:
    """One map of the picture: where tiles overlap, each counts up to the middle.

    A line that the edge of a tile cuts is taken from the neighbour, which sees the whole of it.

    Args:
        maps: float32 [N, H, W], of the tiles, each top-left in its own.
        tiles: int32 [N, 4], see `tile_grid`; a negative start is a margin around the picture, as
            wide on all sides, which the map is without.

    Returns:
        float32 [h, w].
    """
    margin = -int(tiles[:, :2].min())
    if len(tiles) == 1 and not margin:
        return np.ascontiguousarray(maps[0, : tiles[0, 2], : tiles[0, 3]])
    starts, (high, wide) = tiles[:, :2] + margin, tiles[0, 2:].tolist()
    joined = np.zeros(starts.max(axis=0) + tiles[0, 2:], np.float32)
    tops, lefts = _cuts(starts[:, 0], high), _cuts(starts[:, 1], wide)
    for one, (top, left) in zip(maps, starts.tolist(), strict=True):
        (y0, y1), (x0, x1) = tops[top], lefts[left]
        joined[y0:y1, x0:x1] = one[y0 - top : y1 - top, x0 - left : x1 - left]
    inside = (slice(margin, length - margin) for length in joined.shape)
    return np.ascontiguousarray(joined[tuple(inside)])


def _cuts(begins: np.ndarray, length: int) -> dict[int, tuple[int, int]]:
    """What each start's tile counts for: from the middle of one overlap to that of the next."""
    starts = np.unique(begins)
    edges = [starts[0], *(starts[1:] + starts[:-1] + length) // 2, starts[-1] + length]
    return {int(start): (int(edges[i]), int(edges[i + 1])) for i, start in enumerate(starts)}

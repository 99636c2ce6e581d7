"""Tiles cover a picture, and a map joined of theirs gives the boxes of the whole map."""

import cv2
import numpy as np
import pytest
from cases import cases
from hypothesis import given
from hypothesis import strategies as st

from ppocr_pipeline.detection import find_boxes
from ppocr_pipeline.limits import Limits
from ppocr_pipeline.options import parse_options
from ppocr_pipeline.tiles.grid import OVERLAP, join_maps, tile_grid

LIMITS, OPTIONS = Limits(), parse_options({})
LENGTHS, SIDES = st.integers(1, 3000), st.sampled_from([256, 320, 960])


def cut(whole: np.ndarray, tiles: np.ndarray) -> np.ndarray:
    """What a detector that saw each tile alone, but knew the whole, would answer."""
    return np.stack([whole[y : y + h, x : x + w] for y, x, h, w in tiles.tolist()])


@given(LENGTHS, LENGTHS, SIDES)
def test_tiles_of_one_size_cover_a_picture_and_overlap(height, width, side):
    tiles = tile_grid(height, width, side)
    seen = np.zeros((height, width), np.uint8)
    for y, x, high, wide in tiles.tolist():
        assert (high, wide) == tuple(tiles[0, 2:])
        assert y >= 0 <= x
        assert high <= min(height, side)
        assert wide <= min(width, side)
        seen[y : y + high, x : x + wide] += 1
    assert (seen > 0).all()
    for axis in (0, 1):
        starts = np.unique(tiles[:, axis])
        assert (np.diff(starts) <= tiles[0, 2 + axis] - OVERLAP + 1).all()


@given(st.integers(0, 2**32 - 1), LENGTHS, LENGTHS, SIDES)
def test_boxes_of_joined_maps_are_those_of_the_whole(seed, height, width, side):
    rng = np.random.default_rng(seed)
    whole = np.zeros((height, width), np.float32)
    for y in range(10, height - 30, 40):
        left = int(rng.integers(0, width))
        right = int(rng.integers(left, width)) + 1
        whole[y : y + 14, left:right] = 0.6 + 0.3 * rng.random()
    tiles = tile_grid(height, width, side)
    np.testing.assert_array_equal(join_maps(cut(whole, tiles), tiles), whole)
    one = np.array([(0, 0, height, width)], np.int32)
    expected = find_boxes(whole[None], one, height, width, OPTIONS, LIMITS)
    found = find_boxes(cut(whole, tiles), tiles, height, width, OPTIONS, LIMITS)
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_of_too_many_contours_the_largest_count_in_tiles_alone():
    whole = np.zeros((600, 600), np.float32)
    whole[30:50, 200:400] = 0.9
    whole[100::4, ::4] = 0.4
    one = np.array([(0, 0, 600, 600)], np.int32)
    assert len(find_boxes(whole[None], one, 600, 600, OPTIONS, LIMITS)[0]) == 0
    tiles = tile_grid(600, 600, 320)
    assert len(find_boxes(cut(whole, tiles), tiles, 600, 600, OPTIONS, LIMITS)[0]) == 1


def test_the_option_decides_how_boxes_grow():
    whole = np.zeros((320, 320), np.float32)
    whole[100:120, 100:140] = 0.9
    one = np.array([(0, 0, 320, 320)], np.int32)
    widths = {}
    for mode in ("area", "shape"):
        options = parse_options({"det_db_unclip_mode": mode})
        (box,) = find_boxes(whole[None], one, 320, 320, options, LIMITS)[0]
        widths[mode] = np.ptp(box[:, 0])
    assert 40 < widths["shape"] < widths["area"]


def test_what_the_edge_of_a_tile_spoils_does_not_count():
    tiles = tile_grid(400, 2000, 960)
    maps = np.ones((len(tiles), 400, tiles[0, 3]), np.float32)
    inner = OVERLAP // 2 - 1
    maps[:-1, :, -inner:] = 0
    maps[1:, :, :inner] = 0
    assert (join_maps(maps, tiles) == 1).all()


def test_a_margin_is_cut_off():
    tiles: np.ndarray = tile_grid(100, 1500, 960) - np.array([32, 32, 0, 0], np.int32)
    maps = np.zeros((len(tiles), 128, tiles[0, 3]), np.float32)
    maps[0, 32, 32] = 1
    joined = join_maps(maps, tiles)
    assert joined.shape == (100 - 64, 1500 - 64)
    assert cv2.minMaxLoc(joined)[1::2] == (1.0, (0, 0))


@pytest.mark.parametrize("tiles", cases(__file__)["wrong"])
def test_tiles_that_are_not_of_the_maps_are_refused(tiles):
    maps = np.zeros((2, 64, 64), np.float32)
    with pytest.raises(ValueError, match=r"DET_TILES is .* as det_preprocess answers"):
        find_boxes(maps, np.array(tiles, np.int32).reshape(-1, 4), 64, 96, OPTIONS, LIMITS)


def test_tiles_of_a_picture_beyond_the_limit_are_refused():
    tiles = np.array([(0, 0, 64, 64), (0, 2**31 - 65, 64, 64)], np.int32)
    with pytest.raises(ValueError, match=r"PROBABILITY is .*allowed: max_det_pixels"):
        find_boxes(np.zeros((2, 64, 64), np.float32), tiles, 64, 96, OPTIONS, LIMITS)

"""A line that is read in parts is answered as if the recogniser had seen the whole of it."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppocr_pipeline.batches import DISTORTED, plan_by_bucket
from ppocr_pipeline.ctc import ctc_decode
from ppocr_pipeline.long_lines import OVERLAP, cut_parts, join_parts, part_starts

BUCKETS = (320, 640, 1600)
STEP = 8  # columns of a time step


def answers_of(
    line: np.ndarray, feeds: Sequence[Mapping[str, np.ndarray]]
) -> list[list[np.ndarray]]:
    """What a recogniser would answer that reads the class of a step from its first pixel."""
    found = [one["CROPS"][:, 0, ::STEP, 0].astype(np.int32) for one in feeds]
    return [[one, np.where(one > 0, 0.9, 0.5).astype(np.float32)] for one in found]


def feeds_of(classes: np.ndarray) -> dict[str, np.ndarray]:
    crops = np.zeros((1, 48, len(classes) * STEP, 3), np.uint8)
    crops[:] = np.repeat(classes, STEP)[None, None, :, None]
    return {"CROPS": crops, "WIDTHS": np.array([[crops.shape[2]]], np.int32)}


@given(st.integers(0, 2**32 - 1), st.integers(int(DISTORTED * 1600) // 32 + 1, 512))
def test_no_character_is_lost_or_doubled(seed, strides):
    rng = np.random.default_rng(seed)
    classes = np.zeros(strides * 32 // STEP, np.int64)
    at = np.cumsum(rng.integers(2, 7, len(classes)))
    classes[at[at < len(classes)]] = rng.integers(1, 200, (at < len(classes)).sum())
    feeds = feeds_of(classes)
    (batch,) = plan_by_bucket([(48, feeds["CROPS"].shape[2])], 48, BUCKETS, 1)
    assert batch.part in BUCKETS
    parts = cut_parts(feeds, batch.part)
    assert all(one["CROPS"].shape == (1, 48, batch.part, 3) for one in parts)
    assert len(parts) == len(part_starts(batch.width, batch.part))
    joined = join_parts(answers_of(classes, parts), batch.width, batch.part)
    np.testing.assert_array_equal(joined[0][0], classes)
    assert joined[0].shape == joined[1].shape
    characters = [chr(0x4E00 + i) for i in range(200)]
    (text,), _ = ctc_decode(joined[0], joined[1], characters)
    assert text == "".join(characters[one - 1] for one in classes if one)


def test_what_the_edge_of_a_part_spoils_does_not_count():
    classes = np.zeros(400, np.int64)
    classes[::5] = 7
    parts = cut_parts(feeds_of(classes), 1600)
    answers = answers_of(classes, parts)
    spoilt = OVERLAP // STEP // 4 - 1
    for before, after in pairwise(answers):
        before[0][0, -spoilt:] = 9
        after[0][0, :spoilt] = 9
    joined = join_parts(answers, 3200, 1600)
    np.testing.assert_array_equal(joined[0][0], classes)


@pytest.mark.parametrize(("width", "parts"), [(1600, 1), (2240, 1), (2241, 2), (9000, 7)])
def test_only_lines_that_would_lose_characters_are_read_in_parts(width, parts):
    (batch,) = plan_by_bucket([(48, width)], 48, BUCKETS, 1)
    assert len(part_starts(batch.width, batch.part)) == parts
    assert bool(batch.part) == (parts > 1)


def test_short_lines_stand_together_beside_a_long_one():
    batches = plan_by_bucket([(48, 300), (48, 5000), (48, 310)], 48, BUCKETS, 8)
    assert [one.indices for one in batches] == [(1,), (0, 2)]
    (squeezed,) = plan_by_bucket([(48, 30_000)], 48, BUCKETS, 8, 16_384)
    assert squeezed.width == 16_384

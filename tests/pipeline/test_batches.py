"""How crops are grouped and padded."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppocr_pipeline import batches

BUCKETS = [160, 320, 640]
SIZES = st.lists(st.tuples(st.integers(1, 2000), st.integers(1, 2000)), max_size=60)


def padded_width(size, height=48):
    (batch,) = batches.plan_by_bucket([size], height, BUCKETS, 4)
    return batch.width


@pytest.mark.parametrize(
    ("size", "width"),
    [((48, 1), 160), ((48, 160), 160), ((48, 161), 320), ((24, 300), 640), ((48, 896), 640)],
)
def test_a_crop_is_padded_to_the_first_bucket_that_holds_it(size, width):
    assert padded_width(size) == width


@given(SIZES, st.integers(1, 8), st.integers(1, 2000))
def test_the_padding_of_a_crop_is_its_own(sizes, batch_size, columns):
    plan = batches.plan_by_bucket(sizes, 48, BUCKETS, batch_size, columns=columns)
    widths = {index: batch.width for batch in plan for index in batch.indices}
    assert widths == {index: padded_width(size) for index, size in enumerate(sizes)}
    assert all(1 <= len(batch.indices) <= batch_size for batch in plan)
    several = [batch for batch in plan if len(batch.indices) > 1]
    assert all(len(batch.indices) * batch.width <= columns for batch in several)


def test_buckets_are_spelt_singly_or_in_steps():
    assert batches.parse_buckets("160,320") == [160, 320]
    assert batches.parse_buckets("96-160/32,240-320/80,1000") == [96, 128, 160, 240, 320, 1000]


@pytest.mark.parametrize(
    "text", ["", "a", "320,160", "160,160", "0", "160-96/32", "160,", "96-160", "96-160/0"]
)
def test_buckets_that_do_not_increase_are_refused(text):
    with pytest.raises(ValueError, match=r"^rec_buckets is .*; allowed: increasing widths"):
        batches.parse_buckets(text)


def test_pdserving_takes_six_at_a_time_and_pads_to_the_widest_so_far():
    sizes = [(48, 100)] * 6 + [(48, 400)] + [(48, 100)] * 6
    plan = batches.plan_like_pdserving(sizes, 48)
    assert [(len(batch.indices), batch.width) for batch in plan] == [(6, 320), (6, 400), (1, 400)]
    assert [index for batch in plan for index in batch.indices] == list(range(13))
    assert [batch.width for batch in batches.plan_like_pdserving(sizes[:1], 32)] == [213]
    assert batches.plan_like_pdserving([], 48) == []


@given(SIZES, st.integers(1, 8))
def test_paddle_serving_pads_to_the_widest_of_the_picture(sizes, batch_size):
    plan = batches.plan_like_paddle_serving(sizes, 48, batch_size)
    assert [index for batch in plan for index in batch.indices] == list(range(len(sizes)))
    widest = max((width / height for height, width in sizes), default=0)
    assert {batch.width for batch in plan} <= {max(1, min(int(48 * widest), 16384))}
    assert all(len(batch.indices) <= batch_size for batch in plan)


def test_a_crop_wider_than_its_batch_is_squeezed():
    _, widths = batches.fill_batch(
        [np.zeros((10, 5000, 3), np.uint8)], batches.Batch((0,), 640), 48
    )
    assert widths.tolist() == [[640]]

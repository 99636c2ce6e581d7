"""An answer says when a picture or a line was squeezed so much that text may be missing."""

import numpy as np
import pytest
from cases import cases

from ppocr_pipeline.crop import whole_picture
from ppocr_pipeline.detection import squeeze_warnings
from ppocr_pipeline.limits import Limits
from ppocr_pipeline.options import parse_options
from ppocr_pipeline.recognition import RecognitionPlan, line_warnings
from ppocr_pipeline.tiles.plan import plan_det


@pytest.mark.parametrize(("height", "width", "said"), cases(__file__)["squeezed"])
def test_a_squeezed_picture_is_told(height, width, said):
    options = parse_options({"det_limit_type": "max"})
    plan = plan_det(np.zeros((height, width, 3), np.uint8), options, Limits())
    warnings = squeeze_warnings((height, width), plan)
    assert len(warnings) == (said is not None)
    assert said is None or said in warnings[0]


@pytest.mark.parametrize(("padding", "factor"), [("crop", "2.9"), ("paddle", "3.1")])
@pytest.mark.parametrize("reference", ["paddleocr", "paddle_serving"])
def test_a_squeezed_line_is_told(padding, factor, reference):
    plan = RecognitionPlan(48, (320, 640), 1)
    options = parse_options({"rec_padding": padding, "reference": reference})
    for width, said in ((600, 0), (2000, 1)):
        boxes = whole_picture(np.zeros((48, width, 3), np.uint8))
        batches = plan.batches(boxes, options, Limits(max_rec_width=640))
        warnings = line_warnings(boxes, batches, plan, options)
        assert len(warnings) == said
    assert "1 of 1 lines" in warnings[0]
    assert f"{factor} times" in warnings[0]  # a margin makes a line higher above all

import typing

import numpy as np
import pytest
from cases import cases

from ppocr_client.errors import OptionError
from ppocr_client.options import OPTIONS, ReadOptions, request_parameters
from ppocr_pipeline.options import OPTIONS as SERVED


def test_values_are_sent_as_triton_parameters():
    same = {"use_dilation": True, "rec_padding": "paddle"}
    numbers = {"det_limit_side_len": np.int64(1280), "det_db_thresh": 0.25, "drop_score": 0}
    sent = {"det_limit_side_len": 1280, "det_db_thresh": "0.25", "drop_score": "0.0"}
    assert request_parameters({**numbers, **same, "cls_thresh": None}) == {**sent, **same}
    words = {"Det-Limit-Side-Len": "960", "use_dilation": 1}  # as the server takes them
    assert request_parameters(words) == {"det_limit_side_len": 960, "use_dilation": True}


@pytest.mark.parametrize(("name", "value", "allowed"), cases(__file__)["wrong"])
def test_a_value_that_is_not_allowed_is_named_with_what_is(name, value, allowed):
    with pytest.raises(OptionError) as raised:
        request_parameters({name: value})
    assert str(raised.value) == f"{name} is {value!r}; allowed: {allowed}"
    assert isinstance(raised.value, ValueError)


def test_an_unknown_option_gets_the_nearest_one():
    with pytest.raises(OptionError, match="'det_db_tresh'; did you mean 'det_db_thresh'"):
        request_parameters({"det_db_tresh": 0.3})
    with pytest.raises(OptionError, match="unknown option 'zzz'; allowed: reference, "):
        request_parameters({"zzz": 1})
    with pytest.raises(OptionError, match=r"use_angle_cls is true.*send one of them"):
        request_parameters({"use_angle_cls": True, "orientation": "lines"})


def test_the_client_sends_every_option_of_the_pipeline():
    assert set(OPTIONS) == set(SERVED) == set(typing.get_type_hints(ReadOptions))
    for name, option in OPTIONS.items():
        sent = request_parameters({name: option.rule.default})[name]
        assert option.rule.parse(sent) == option.rule.default

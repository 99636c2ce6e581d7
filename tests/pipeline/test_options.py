"""Options: defaults, ranges, and what a wrong one is told."""

import pytest
from cases import cases

from ppocr_pipeline import options

CASES = cases(__file__)


def test_defaults_are_paddleocrs():
    assert options.parse_options({}) == CASES["defaults"]


def test_the_request_goes_before_the_configuration():
    base = options.default_options(
        {"drop_score": "0.7", "det_db_thresh": "0.2", "rec_height": "48"}
    )
    parsed = options.parse_options({"drop_score": 0.1}, base)
    assert (parsed["drop_score"], parsed["det_db_thresh"]) == (0.1, 0.2)


@pytest.mark.parametrize(("name", "value", "parsed"), CASES["values"])
def test_values_in_the_forms_clients_send(name, value, parsed):
    assert options.parse_options({name: value})[name] == parsed


@pytest.mark.parametrize(("name", "value"), CASES["wrong"])
def test_a_value_out_of_range_names_itself_and_what_is_allowed(name, value):
    with pytest.raises(ValueError, match=f"^{name} is .*; allowed: "):
        options.parse_options({name: value})


def test_an_unknown_option_names_the_nearest():
    with pytest.raises(
        ValueError, match="unknown option 'det_db_tresh'; did you mean 'det_db_thresh'"
    ):
        options.parse_options({"det_db_tresh": 0.3})
    with pytest.raises(
        ValueError, match="unknown option 'x'; allowed: reference, det_limit_side_len, "
    ):
        options.parse_options({"x": 1})


@pytest.mark.parametrize("name", ["det-db-thresh", "Det-Db-Thresh", "DET_DB_THRESH"])
def test_an_option_may_be_spelled_as_an_http_header(name):
    assert options.parse_options({name: "0.25"})["det_db_thresh"] == 0.25


def test_one_option_under_two_names_is_refused():
    with pytest.raises(
        ValueError, match="'drop_score' and 'drop-score' are the same option; send one"
    ):
        options.parse_options({"drop_score": 0.5, "drop-score": 0.6})

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


@pytest.mark.parametrize(("given", "reason"), CASES["names"])
def test_a_name_that_is_none_or_two_of_one_are_refused(given, reason):
    with pytest.raises(ValueError, match=reason):
        options.parse_options(given)


@pytest.mark.parametrize("name", ["det-db-thresh", "Det-Db-Thresh", "DET_DB_THRESH"])
def test_an_option_may_be_spelled_as_an_http_header(name):
    assert options.parse_options({name: "0.25"})["det_db_thresh"] == 0.25

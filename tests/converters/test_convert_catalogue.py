"""The catalogue: what it says of every model, and what is said of a name that it does not have."""

from __future__ import annotations

import pytest

from ppocr_converters.catalogue.entries import catalogue, parse_catalogue
from ppocr_converters.catalogue.fetch import choose_source
from ppocr_converters.errors import CatalogueError, FetchError


def test_the_catalogue_says_of_every_model_where_it_is_and_what_it_reads_with() -> None:
    models = catalogue().models.values()
    assert len(models) > 130
    for known in models:
        assert known.asset.sources, known.name
        assert known.languages, known.name
        assert known.licence == "Apache-2.0"
        for source in known.asset.sources:
            named = {file.name for file in known.asset.files}
            assert set(source.sha256) <= named, known.name
            assert source.origin == "wheel" or source.address.startswith("https://")
        assert (known.height is None) == (known.kind == "det"), known.name
        inside = known.format != "paddle2" or known.kind != "rec"
        assert (known.dictionary is None) == inside, known.name


def test_archive_stands_for_every_address() -> None:
    known = catalogue().find("PP-OCRv6_small_det_onnx")
    assert choose_source(known.asset, None).origin == "wheel"
    assert choose_source(known.asset, "archive").origin == "url"
    with pytest.raises(FetchError, match="no source of kind 'wheel', only archive"):
        choose_source(catalogue().find("ch_PP-OCRv2_det").asset, "wheel")


def test_an_unknown_name_gets_the_nearest() -> None:
    assert catalogue().find("ch_PP-OCRv4_det").name == "PP-OCRv4_mobile_det"
    with pytest.raises(CatalogueError, match="PP-OCRv4_mobile_rec"):
        catalogue().find("PP-OCRv4_mobile_rek")


def test_a_malformed_catalogue_is_refused() -> None:
    with pytest.raises(CatalogueError, match="malformed"):
        parse_catalogue("models: {a: {kind: det}}\ndictionaries: {}\nkinds: {}")
    empty = "{models: {}, kinds: {}, licence: any, formats: {text: []}, "
    with pytest.raises(CatalogueError, match="must have one of"):
        parse_catalogue(empty + "dictionaries: {d: {files: {}, sources: [{}]}}}")

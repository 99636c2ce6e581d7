"""The catalogue: what it says of every model, and what is said of a name that it does not have."""

import pytest

from ppocr_converters.catalogue.entries import catalogue
from ppocr_converters.catalogue.fetch import choose_sources
from ppocr_converters.errors import CatalogueError, FetchError


def test_the_catalogue_says_of_every_model_where_it_is_and_what_it_reads_with():
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
        beside = known.format == "paddle2" or known.name == "PP-OCRv6_tiny_rec_onnx"
        assert (known.dictionary is not None) == (beside and known.kind == "rec"), known.name


@pytest.mark.parametrize(
    ("origin", "origins"),
    [
        (None, ["wheel", "archive", "files"]),
        ("wheel", ["wheel"]),
        ("archive", ["archive", "files"]),
        ("files", ["files"]),
    ],
)
def test_a_kind_of_source_can_be_asked_for(origin, origins):
    asset = catalogue().find("PP-OCRv5_mobile_det").asset
    assert [source.origin for source in choose_sources(asset, origin)] == origins
    single = catalogue().find("PP-OCRv5_server_det_onnx").asset
    if origin != "wheel":
        assert [source.origin for source in choose_sources(single, origin)] == ["url"]
    else:
        with pytest.raises(FetchError, match="no source of kind 'wheel', only url"):
            choose_sources(single, origin)


def test_an_unknown_name_gets_the_nearest():
    assert catalogue().find("ch_PP-OCRv4_det").name == "PP-OCRv4_mobile_det"
    for wrong in ("PP-OCRv4_mobile_rek", "pp-ocrv4_MOBILE_rec"):
        with pytest.raises(CatalogueError, match="did you mean 'PP-OCRv4_mobile_rec'"):
            catalogue().find(wrong)

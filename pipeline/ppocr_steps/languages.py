"""Whether the served recogniser reads the language that a request names."""

from __future__ import annotations

#: Names that are common elsewhere, by PaddleOCR's code. A region is left out (`en-US`).
SPELLINGS = {
    "ch": ("chinese", "zh", "zho", "chi_sim", "zh-cn", "zh-hans"),
    "chinese_cht": ("zh-tw", "zh-hk", "zh-hant", "chi_tra"),
    "en": ("english", "eng"),
    "japan": ("japanese", "ja", "jpn"),
    "korean": ("ko", "kor"),
    "de": ("german", "deu"),
    "fr": ("french", "fra"),
    "es": ("spanish", "spa"),
    "it": ("italian", "ita"),
    "pt": ("portuguese", "por"),
    "ru": ("russian", "rus"),
    "ar": ("arabic", "ara"),
}
CODES = {spelling: code for code, spellings in SPELLINGS.items() for spelling in spellings}


def expect_read(language: bytes, languages: str) -> None:
    """Raise a ValueError when the recogniser is known not to read a language.

    Args:
        language: UTF-8, by PaddleOCR's code, a tag as `en-US`, or one of SPELLINGS; case is not
            looked at.
        languages: PaddleOCR's codes, separated by commas; empty where they are not known, as of a
            model of the user's own, which then takes any language.
    """
    read = languages.split(",") if languages else []
    name = language.decode("utf-8", "replace").lower()
    for spelling in (name, name.partition("-")[0]):
        if CODES.get(spelling, spelling) in read:
            return
        if spelling in CODES:
            break
    if read:
        raise ValueError(
            f"the language is {name[:32]!r}; the recogniser reads {', '.join(read)}: "
            "name one of these, or serve a recogniser of that language"
        )

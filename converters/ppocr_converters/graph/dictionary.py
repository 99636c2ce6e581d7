"""The characters of a recogniser: read from a file, checked against the classes, stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ppocr_converters.catalogue.fetch import DICTIONARY
from ppocr_converters.errors import DictionaryError
from ppocr_converters.paddle.inference_yml import SETTINGS

if TYPE_CHECKING:
    from ppocr_converters.repository.models import ModelSource

SPACE = " "


def read_dictionary(path: Path) -> list[str]:
    """Read a PaddleOCR dictionary: UTF-8, one character (or several) a line, in class order.

    Line ends of either kind are stripped, nothing else is: a line may hold a blank of some kind.
    A byte order mark is dropped.

    Raises:
        DictionaryError: unreadable, not UTF-8, or without any line.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DictionaryError(f"cannot read the dictionary {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DictionaryError(
            f"the dictionary {path} is not UTF-8 (byte {error.start}); save it as UTF-8"
        ) from error
    lines = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
    if lines == [""]:
        raise DictionaryError(f"the dictionary {path} is empty; it must have one character a line")
    return lines


def own_dictionary(path: Path) -> Path | None:
    """The dictionary file beside a model."""
    beside = (path if path.is_dir() else path.parent) / DICTIONARY
    return beside if beside.is_file() else None


def check_dictionary(characters: Sequence[str], space: bool, classes: int) -> None:
    """Check that the blank, the characters and perhaps a space make up all classes.

    Raises:
        DictionaryError: they do not; both numbers are named.
    """
    count = 1 + len(characters) + int(space)
    if count != classes:
        parts = f"{len(characters)} characters + blank{' + space' if space else ''}"
        cut = " (one line is missing: often the last, a lone space)" if count + 1 == classes else ""
        raise DictionaryError(
            f"the dictionary does not fit the recogniser: {parts} = {count} classes, but the model "
            f"has {classes}{cut}; give the dictionary that the model was trained with (--dict FILE "
            f"and --no-space when it was trained without use_space_char)"
        )


def find_characters(
    source: ModelSource, stored: str | None, classes: int | None
) -> tuple[str, Sequence[str]]:
    """Where the characters of a recogniser of so many classes come from, and they.

    `stored` is what the metadata of its file has, where some exporters put them; it comes last.

    Raises:
        DictionaryError: there are none, or they cannot be read.
    """
    if source.characters:
        return str(source.dictionary or SETTINGS), source.characters
    if stored is not None:
        return "metadata of the file", stored.removesuffix("\n").split("\n")
    known = "" if classes is None else f", which has {classes} classes"
    raise DictionaryError(f"no dictionary came with {source.name}{known}; give it with --dict")


def class_names(facts: Mapping[str, str]) -> list[str]:
    """The character of class 1, 2, ..., by the metadata of a compiled recogniser.

    A space comes last where the model knows one.

    Raises:
        DictionaryError: they are not as many as the classes.
    """
    characters, space = facts["character"].split("\n"), facts["use_space_char"] == "true"
    check_dictionary(characters, space, int(facts["ppocr_classes"]))
    return [*characters, SPACE] if space else characters


def write_dictionary(path: Path, names: Sequence[str]) -> None:
    r"""Write one entry a line, "\n" after each, UTF-8."""
    path.write_bytes("".join(f"{name}\n" for name in names).encode("utf-8"))

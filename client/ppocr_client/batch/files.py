"""Local files and buckets through fsspec.

The name of a local file is its absolute path; of another its address, such as `s3://bucket/a.jpg`.
"""

from __future__ import annotations

import contextlib
import glob
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import fsspec

from ppocr_client.documents.inputs import SUFFIXES, InputError, find_documents
from ppocr_client.exports.writers import write_atomically

# File systems on which a written file appears completely or not at all.
ATOMIC = {"file", "local", "s3", "s3a", "gs", "gcs", "abfs", "abfss", "az"}
# The packages beside fsspec that the most common addresses need.
PACKAGES = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs"}

Options = Mapping[str, Any]  # arguments of a bucket's filesystem


def find_files(words: Iterable[str], options: Options) -> list[str]:
    """The files that words name, each once: folders with all below them, patterns, files.

    Those of one folder or pattern are in the order of their names. An InputError says that it holds
    nothing to read, or that a bucket cannot be listed.
    """
    return list(dict.fromkeys(name for word in words for name in _files_of(word, options)))


def names_in(lines: Iterable[str]) -> list[str]:
    """The files that a list names, one a line; they need not exist yet."""
    words = (line.rstrip("\r\n") for line in lines)
    return list(dict.fromkeys(_name(word) for word in words if word.strip()))


def read_file(name: str, options: Options) -> bytes:
    """All bytes of a file; an OSError, or an InputError if a package for its address is missing."""
    if not _is_address(name):
        return Path(name).read_bytes()
    with _opened(name, options) as (filesystem, path):
        data: bytes = filesystem.cat_file(path)
    return data


def write_file(name: str, data: bytes, options: Options) -> None:
    """Write a file so that it appears with all of its content, or not at all."""
    if not _is_address(name):
        write_atomically(Path(name), data)
        return
    with _opened(name, options) as (filesystem, path):
        filesystem.pipe_file(path, data)


def list_folder(name: str, options: Options) -> list[str]:
    """The names in a folder, if there is one; an InputError if it cannot be listed."""
    try:
        with _opened(name, options) as (filesystem, path):
            found = filesystem.ls(path, detail=False)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(f"cannot list {name}: {error}") from error
    return sorted(entry.rpartition("/")[2] for entry in found)


def check_output(name: str) -> str:
    """The name of an output folder; an InputError if files would be seen before they are whole."""
    scheme = name.partition("://")[0] if _is_address(name) else "file"
    if scheme not in ATOMIC:
        raise InputError(
            f"--out {name}: files there can be seen before they are complete; allowed: a local "
            "folder, " + ", ".join(f"{scheme}://" for scheme in sorted(ATOMIC - {"file", "local"}))
        )
    return _name(name)


def _files_of(word: str, options: Options) -> list[str]:
    if not _is_address(word):
        found = find_documents([word.removeprefix("file://")], recursive=True)
        return [_name(document.source) for document in found]
    try:
        with _opened(word, options) as (filesystem, path):
            if filesystem.isdir(path):
                names = [n for n in filesystem.find(path) if Path(n).suffix.lower() in SUFFIXES]
                what = f"{word} holds no {', '.join(sorted(SUFFIXES))} files"
            elif glob.has_magic(path) and not filesystem.exists(path):
                kinds = filesystem.glob(path, detail=True)
                names = [name for name, kind in kinds.items() if kind.get("type") == "file"]
                what = f"no file matches {word!r}"
            else:
                return [_name(word)]
    except OSError as error:
        raise InputError(f"cannot list {word}: {error}") from error
    if not names:
        raise InputError(what)
    return sorted(filesystem.unstrip_protocol(name) for name in names)


@contextlib.contextmanager
def _opened(name: str, options: Options) -> Iterator[tuple[Any, str]]:
    """The filesystem of a name, and the path in it; an InputError if its package is missing.

    The errors within of fsspec's many packages, which share no class, become OSErrors.
    """
    try:
        filesystem, path = fsspec.core.url_to_fs(name, **(options if _is_address(name) else {}))
    except ImportError as error:
        package = PACKAGES.get(name.partition("://")[0], "")
        hint = f": pip install {package}" if package else ""
        raise InputError(f"{name} needs another package{hint} ({error})") from error
    except ValueError as error:
        raise InputError(f"{name}: {error}") from error
    try:
        yield filesystem, str(path)
    except OSError:
        raise
    except Exception as error:
        raise OSError(f"{name}: {error}") from error


def _is_address(name: str) -> bool:
    return "://" in name and not name.startswith("file://")


def _name(word: str) -> str:
    if _is_address(word):
        return word.rstrip("/")
    return str(Path(word.removeprefix("file://")).absolute())

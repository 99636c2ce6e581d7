"""Local files and buckets under one kind of name, through fsspec.

A local file's name is its absolute path; any other's is its address, such as `s3://bucket/a.jpg`.
"""

from __future__ import annotations

import contextlib
import glob
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import fsspec

from ppocr_client.documents.documents import SUFFIXES, InputError
from ppocr_client.exports.writers import write_whole

# Where a file that is written appears as a whole or not at all.
ATOMIC = {"file", "local", "s3", "s3a", "gs", "gcs", "abfs", "abfss", "az"}
# What the addresses that are used most need beside fsspec.
PACKAGES = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs"}

Options = Mapping[str, Any]  # what a bucket's filesystem is opened with


def find_files(words: Iterable[str], options: Options) -> list[str]:
    """The files that words name, each once: folders with all that is below them, patterns, files.

    Those of one folder or pattern are in the order of their names.

    Raises:
        InputError: If a folder or pattern holds nothing to read, or a bucket cannot be listed.
    """
    return list(dict.fromkeys(name for word in words for name in _files_of(word, options)))


def names_in(lines: Iterable[str]) -> list[str]:
    """The files that a list names, one a line; whether they exist shows when they are read."""
    words = (line.rstrip("\r\n") for line in lines)
    return list(dict.fromkeys(_name(word) for word in words if word.strip()))


def read_file(name: str, options: Options) -> bytes:
    """All bytes of a file.

    Raises:
        OSError: If it cannot be read.
        InputError: If a package is missing that reads such addresses.
    """
    if not _is_address(name):
        return Path(name).read_bytes()
    filesystem, path = open_filesystem(name, options)
    with _its_own_errors(name):
        data: bytes = filesystem.cat_file(path)
    return data


def write_file(name: str, data: bytes, options: Options) -> None:
    """Write a file that is there with all of its content, or not at all."""
    if not _is_address(name):
        write_whole(Path(name), data)
        return
    filesystem, path = open_filesystem(name, options)
    with _its_own_errors(name):
        filesystem.pipe_file(path, data)


def list_folder(name: str, options: Options) -> list[str]:
    """The names, without their folder, of what is in a folder; none if it is not there.

    Raises:
        InputError: If it cannot be listed.
    """
    filesystem, path = open_filesystem(name, options)
    try:
        with _its_own_errors(name):
            found = filesystem.ls(path, detail=False)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(f"cannot list {name}: {error}") from error
    return sorted(entry.rpartition("/")[2] for entry in found)


def check_output(name: str) -> str:
    """The name of a folder to write to.

    Raises:
        InputError: If files there may be seen while they are written.
    """
    scheme = name.partition("://")[0] if _is_address(name) else "file"
    if scheme not in ATOMIC:
        raise InputError(
            f"--out {name}: a file there can be seen half-written; allowed: a local folder, "
            + ", ".join(f"{scheme}://" for scheme in sorted(ATOMIC - {"file", "local"}))
        )
    return _name(name)


def open_filesystem(name: str, options: Options) -> tuple[Any, str]:
    """The filesystem that a name is of, and the path it has there.

    Raises:
        InputError: If there is no such filesystem, or its package is missing.
    """
    scheme = name.partition("://")[0]
    try:
        filesystem, path = fsspec.core.url_to_fs(name, **(options if _is_address(name) else {}))
    except ImportError as error:
        package = PACKAGES.get(scheme, "")
        hint = f": pip install {package}" if package else ""
        raise InputError(f"{name} needs another package{hint} ({error})") from error
    except ValueError as error:
        raise InputError(f"{name}: {error}") from error
    return filesystem, str(path)


def _files_of(word: str, options: Options) -> list[str]:
    filesystem, path = open_filesystem(word, options)
    try:
        with _its_own_errors(word):
            if filesystem.isdir(path):
                return _below(word, filesystem, path)
            if glob.has_magic(path) and not filesystem.exists(path):
                found = filesystem.glob(path, detail=True)
                files = [name for name, kind in found.items() if kind.get("type") == "file"]
                return _sorted(word, filesystem, files)
    except OSError as error:
        raise InputError(f"cannot list {word}: {error}") from error
    return [_name(word)]


def _below(word: str, filesystem: Any, path: str) -> list[str]:
    found = [name for name in filesystem.find(path) if Path(name).suffix.lower() in SUFFIXES]
    if not found:
        raise InputError(f"{word} holds no {', '.join(sorted(SUFFIXES))} files")
    return _sorted(word, filesystem, found)


def _sorted(word: str, filesystem: Any, found: list[str]) -> list[str]:
    if not found:
        raise InputError(f"no file matches {word!r}")
    if not _is_address(word):
        return sorted(found)
    return sorted(filesystem.unstrip_protocol(name) for name in found)


@contextlib.contextmanager
def _its_own_errors(name: str) -> Iterator[None]:
    """Every kind of bucket has a package, and every package errors of its own; here all are one."""
    try:
        yield
    except (OSError, InputError):
        raise
    except Exception as error:
        raise OSError(f"{name}: {error}") from error


def _is_address(name: str) -> bool:
    return "://" in name and not name.startswith("file://")


def _name(word: str) -> str:
    if _is_address(word):
        return word.rstrip("/")
    return str(Path(word.removeprefix("file://")).absolute())

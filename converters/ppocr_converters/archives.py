"""Single files taken out of archives: nothing is ever extracted to a path the archive chose."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from ppocr_converters.errors import FetchError


def take_files(archive: Path, folder: str, names: Iterable[str], target: Path) -> None:
    """Copy `folder/name` out of a tar or zip file (a wheel is one) to `target/name`.

    Only plain files are taken, by their full path in the archive, so that neither links nor
    paths that climb out of the folder can reach anything.

    Raises:
        FetchError: the archive is damaged, or a file is not in it or is not a plain file.
    """
    wanted = {f"{folder}/{name}".lstrip("/"): target / name for name in names}
    target.mkdir(parents=True, exist_ok=True)
    try:
        if zipfile.is_zipfile(archive):
            found = _take_from_zip(archive, wanted)
        else:
            found = _take_from_tar(archive, wanted)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        raise FetchError(f"{archive.name} is damaged: {error}") from error
    missing = sorted(set(wanted) - found)
    if missing:
        raise FetchError(f"{archive.name} does not hold {', '.join(missing)} as plain files")


def _take_from_tar(archive: Path, wanted: dict[str, Path]) -> set[str]:
    found = set()
    with tarfile.open(archive) as tar:
        for member in tar:
            name = member.name.removeprefix("./")
            stream = tar.extractfile(member) if name in wanted and member.isreg() else None
            if stream is not None:
                _write(stream, wanted[name])
                found.add(name)
    return found


def _take_from_zip(archive: Path, wanted: dict[str, Path]) -> set[str]:
    with zipfile.ZipFile(archive) as packed:
        found = wanted.keys() & set(packed.namelist())
        for name in found:
            with packed.open(name) as stream:
                _write(stream, wanted[name])
    return found


def _write(stream: IO[bytes], path: Path) -> None:
    with stream, path.open("wb") as file:
        shutil.copyfileobj(stream, file)

"""Single files taken out of archives: nothing is ever extracted to a path the archive chose."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Container, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import IO

from ppocr_converters.errors import FetchError


def take_files(
    archive: Path, folder: str | None, names: Mapping[str, str] | Iterable[str], target: Path
) -> None:
    """Copy plain files out of a tar or zip file (a wheel is one) to `target/name`.

    Only plain files are taken, and only by their name, so that neither links nor paths that climb
    out of the folder can reach anything.

    Args:
        archive: the file.
        folder: where the files lie in it; None: in any one folder.
        names: of the files, or what each is called in the archive by its own name.
        target: the folder to copy to.

    Raises:
        FetchError: the archive is damaged, or a file is not in it or is not a plain file.
    """
    called = dict(names) if isinstance(names, Mapping) else {name: name for name in names}
    target.mkdir(parents=True, exist_ok=True)
    try:
        take = _take_from_zip if zipfile.is_zipfile(archive) else _take_from_tar
        wanted = {inside: target / name for name, inside in called.items()}
        found = take(archive, folder, wanted)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise FetchError(f"{archive.name} is damaged: {error}") from error
    missing = sorted(
        f"{folder}/{name}".lstrip("/") if folder else name for name in set(wanted) - found
    )
    if missing:
        raise FetchError(f"{archive.name} does not hold {', '.join(missing)} as plain files")


def _place(member: str, folder: str | None, wanted: Container[str]) -> str | None:
    """The wanted name that a member of an archive has, if it lies where it must."""
    inside = PurePosixPath(member.removeprefix("./"))
    if inside.name not in wanted or ".." in inside.parts or inside.is_absolute():
        return None
    here = "" if str(inside.parent) == "." else str(inside.parent)
    return inside.name if folder is None or here == folder.strip("/") else None


def _take_from_tar(archive: Path, folder: str | None, wanted: Mapping[str, Path]) -> set[str]:
    found: set[str] = set()
    with tarfile.open(archive) as tar:
        for member in tar:
            name = _place(member.name, folder, wanted)
            stream = tar.extractfile(member) if name and member.isreg() else None
            if name is not None and stream is not None:
                _write(stream, wanted[name])
                _once(name, found, archive)
    return found


def _take_from_zip(archive: Path, folder: str | None, wanted: Mapping[str, Path]) -> set[str]:
    found: set[str] = set()
    with zipfile.ZipFile(archive) as packed:
        for member in packed.namelist():
            name = _place(member, folder, wanted)
            if name is not None:
                with packed.open(member) as stream:
                    _write(stream, wanted[name])
                _once(name, found, archive)
    return found


def _once(name: str, found: set[str], archive: Path) -> None:
    """Note that a file was found, which must happen once."""
    if name in found:
        raise FetchError(f"{archive.name} holds {name} more than once; it is not one model")
    found.add(name)


def _write(stream: IO[bytes], path: Path) -> None:
    with stream, path.open("wb") as file:
        shutil.copyfileobj(stream, file)

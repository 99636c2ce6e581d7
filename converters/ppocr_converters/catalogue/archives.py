"""Single files taken out of archives: nothing is ever extracted to a path the archive chose."""

from __future__ import annotations

import gzip
import mmap
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from ppocr_converters.errors import FetchError

#: What an archive of models can need: so many members, so many bytes unpacked, so many times its
#: own size. Weights hardly shrink at all; a wheel has thousands of small files.
MOST_MEMBERS = 20_000
MOST_BYTES = 4 << 30
MOST_TIMES = 100
#: Below it an archive is no bomb, however well it is packed.
HARMLESS = 64 << 20

#: What Python's readers raise: of sizes that lead out of the file ValueError and OverflowError, of
#: zip files that are locked, or packed in a way that it does not know, RuntimeError.
DAMAGED = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, gzip.BadGzipFile, EOFError),
    *(ValueError, OverflowError, RuntimeError),
)

GZIP = b"\x1f\x8b"
BLOCK = 1 << 20

#: A member's path, its size, and what opens it; None where it is no plain file.
Member = tuple[str, int, Callable[[], IO[bytes] | None] | None]


def take_files(
    archive: Path,
    folder: str | None,
    names: Sequence[str],
    target: Path,
    *,
    called: str | None = None,
) -> None:
    """Copy plain files out of a tar or zip file (a wheel is one) to `target/name`.

    Only plain files are taken, and only by their name, so that neither links nor paths that climb
    out of the folder can reach anything. Nothing is unpacked beyond what models need. The files lie
    in `folder` of it, or in any one folder; `called` is the name there of an only file.

    Raises:
        FetchError: the archive is damaged or a bomb, or a file is not in it or is not a plain file.
    """
    wanted = {called or name: target / name for name in names}
    target.mkdir(parents=True, exist_ok=True)
    try:
        found = _take(archive, folder, wanted)
    except DAMAGED as error:
        raise FetchError(f"{archive.name} is damaged: {error}") from error
    if missing := sorted(f"{folder or ''}/{name}".lstrip("/") for name in wanted.keys() - found):
        raise FetchError(f"{archive.name} does not hold {', '.join(missing)} as plain files")


def _allowance(archive: Path) -> int:
    """How many bytes may come out of an archive."""
    return min(MOST_BYTES, max(HARMLESS, MOST_TIMES * archive.stat().st_size))


def _too_much(archive: Path, what: str) -> FetchError:
    return FetchError(
        f"{archive.name} holds {what}; no archive of models does, so it is not unpacked"
    )


def _place(member: str, folder: str | None) -> str:
    """The name of an archive's member that lies where it must, "" of any other."""
    inside = PurePosixPath(member.removeprefix("./"))
    elsewhere = folder is not None and inside.parent != PurePosixPath(folder.strip("/"))
    return "" if elsewhere or ".." in inside.parts or inside.is_absolute() else inside.name


def _take(archive: Path, folder: str | None, wanted: Mapping[str, Path]) -> set[str]:
    """Copy what is wanted; returns the names that were found."""
    found: set[str] = set()
    left = _allowance(archive)
    members = _zip_members if zipfile.is_zipfile(archive) else _tar_members
    for count, (path, size, opened) in enumerate(members(archive), 1):
        if count > MOST_MEMBERS:
            raise _too_much(archive, f"more than {MOST_MEMBERS} members")
        name = _place(path, folder)
        content = opened() if name in wanted and opened is not None else None
        if content is None:
            continue
        if name in found:
            raise FetchError(f"{archive.name} holds {name} more than once; it is not one model")
        left -= size  # no more than this is ever unpacked of it
        if left < 0:
            raise _too_much(archive, f"more than {_allowance(archive)} bytes")
        with content, wanted[name].open("wb") as file:
            shutil.copyfileobj(content, file)
        found.add(name)
    return found


def _tar_members(archive: Path) -> Iterator[Member]:
    # Beside the archive, where there is room for models: /tmp may be memory.
    with archive.open("rb") as file, tempfile.TemporaryFile(dir=archive.parent) as scratch:
        if packed := file.read(len(GZIP)) == GZIP:
            _unpack(archive, scratch)
        # tarfile reads as much as a header says, a map no more than there is.
        with (
            mmap.mmap(
                (scratch if packed else file).fileno(), 0, access=mmap.ACCESS_READ
            ) as content,
            tarfile.open(fileobj=content, mode="r:") as tar,
        ):
            for member in tar:
                # The holes of a sparse file are bytes that no bound on the archive sees.
                taken = member.isreg() and not member.issparse()
                yield member.name, member.size, partial(tar.extractfile, member) if taken else None


def _unpack(archive: Path, target: IO[bytes]) -> None:
    """Unpack a gzip file, if it does not grow beyond all measure; headers are bounded as well."""
    most = _allowance(archive)
    with gzip.open(archive) as packed:
        while block := packed.read(BLOCK):
            if target.tell() + len(block) > most:
                raise _too_much(archive, f"more than {most} bytes")
            target.write(block)
    target.flush()


def _zip_members(archive: Path) -> Iterator[Member]:
    with zipfile.ZipFile(archive) as packed:
        for member in packed.infolist():
            kind = stat.S_IFMT(member.external_attr >> 16)  # 0 where packed without Unix's kinds
            plain = kind in (0, stat.S_IFREG) and not member.is_dir()
            plain = plain and "\0" not in member.orig_filename  # where the name would be cut off
            opened = partial(packed.open, member) if plain else None
            yield member.filename, member.file_size, opened

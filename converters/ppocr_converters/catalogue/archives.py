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
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
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

GZIP = b"\x1f\x8b"
BLOCK = 1 << 20

#: A member's path, its size, and what opens it; None where it is no plain file.
Member = tuple[str, int, Callable[[], IO[bytes] | None] | None]


def take_files(
    archive: Path, folder: str | None, names: Mapping[str, str] | Iterable[str], target: Path
) -> None:
    """Copy plain files out of a tar or zip file (a wheel is one) to `target/name`.

    Only plain files are taken, and only by their name, so that neither links nor paths that climb
    out of the folder can reach anything. Nothing is unpacked beyond what models need.

    Args:
        archive: the file.
        folder: where the files lie in it; None: in any one folder.
        names: of the files, or what each is called in the archive by its own name.
        target: the folder to copy to.

    Raises:
        FetchError: the archive is damaged or a bomb, or a file is not in it or is not a plain file.
    """
    called = dict(names) if isinstance(names, Mapping) else {name: name for name in names}
    wanted = {inside: target / name for name, inside in called.items()}
    target.mkdir(parents=True, exist_ok=True)
    try:
        found = _take(archive, folder, wanted)
    except DAMAGED as error:
        raise FetchError(f"{archive.name} is damaged: {error}") from error
    missing = sorted(
        f"{folder}/{name}".lstrip("/") if folder else name for name in set(wanted) - found
    )
    if missing:
        raise FetchError(f"{archive.name} does not hold {', '.join(missing)} as plain files")


#: What Python's readers raise: of sizes that lead out of the file ValueError and OverflowError, of
#: zip files that are locked, or packed in a way that it does not know, the last two.
DAMAGED = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, gzip.BadGzipFile, EOFError),
    *(ValueError, OverflowError, RuntimeError, NotImplementedError),
)


def _allowance(archive: Path) -> int:
    """How many bytes may come out of an archive."""
    return min(MOST_BYTES, max(HARMLESS, MOST_TIMES * archive.stat().st_size))


def _too_much(archive: Path, what: str) -> FetchError:
    return FetchError(
        f"{archive.name} holds {what}; no archive of models does, so it is not unpacked"
    )


def _place(member: str, folder: str | None, wanted: Container[str]) -> str | None:
    """The wanted name that a member of an archive has, if it lies where it must."""
    inside = PurePosixPath(member.removeprefix("./"))
    if inside.name not in wanted or ".." in inside.parts or inside.is_absolute():
        return None
    here = "" if str(inside.parent) == "." else str(inside.parent)
    return inside.name if folder is None or here == folder.strip("/") else None


def _take(archive: Path, folder: str | None, wanted: Mapping[str, Path]) -> set[str]:
    """Copy what is wanted; returns the names that were found."""
    found: set[str] = set()
    left = _allowance(archive)
    members = _zip_members if zipfile.is_zipfile(archive) else _tar_members
    for count, (path, size, opened) in enumerate(members(archive), 1):
        if count > MOST_MEMBERS:
            raise _too_much(archive, f"more than {MOST_MEMBERS} members")
        name = _place(path, folder, wanted)
        content = opened() if name is not None and opened is not None else None
        if name is None or content is None:
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
        plain = _unpack(archive, scratch) if file.read(len(GZIP)) == GZIP else file
        # tarfile reads as much as a header says, a map no more than there is.
        with (
            mmap.mmap(plain.fileno(), 0, access=mmap.ACCESS_READ) as content,
            tarfile.open(fileobj=content, mode="r:") as tar,
        ):
            for member in tar:
                # The holes of a sparse file are bytes that no bound on the archive sees.
                taken = member.isreg() and not member.issparse()
                yield member.name, member.size, partial(tar.extractfile, member) if taken else None


def _unpack(archive: Path, target: IO[bytes]) -> IO[bytes]:
    """Unpack a gzip file, if it does not grow beyond all measure; headers are bounded as well."""
    most = _allowance(archive)
    with gzip.open(archive) as packed:
        while block := packed.read(BLOCK):
            if target.tell() + len(block) > most:
                raise _too_much(archive, f"more than {most} bytes")
            target.write(block)
    target.flush()
    return target


def _zip_members(archive: Path) -> Iterator[Member]:
    with zipfile.ZipFile(archive) as packed:
        for member in packed.infolist():
            opened = partial(packed.open, member) if _is_plain(member) else None
            yield member.filename, member.file_size, opened


def _is_plain(member: zipfile.ZipInfo) -> bool:
    """Whether a member is a file, no link, whose name is not cut off at a NUL."""
    kind = stat.S_IFMT(member.external_attr >> 16)  # 0 where it was packed without Unix's kinds
    return kind in (0, stat.S_IFREG) and "\0" not in member.orig_filename and not member.is_dir()

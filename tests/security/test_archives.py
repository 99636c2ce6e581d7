"""Archives made to do harm: none writes outside its folder, fills the disk or the memory."""

import gzip
import io
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from ppocr_converters.catalogue import archives
from ppocr_converters.catalogue.archives import take_files
from ppocr_converters.errors import FetchError

NAME = "inference.pdmodel"
Member = tuple[str, bytes | None, Mapping[str, object]]  # name, content, fields of its TarInfo
SECRET = "what lies outside"


@pytest.fixture
def outside(tmp_path) -> Path:
    """A file that no archive may read or change."""
    file = tmp_path / "outside"
    file.write_text(SECRET)
    return file


def tar_of(*members: Member) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, data, fields in members:
            info = tarfile.TarInfo(name)
            info.size = len(data or b"")
            for field, value in fields.items():
                setattr(info, field, value)
            tar.addfile(info, io.BytesIO(data or b""))
    return stream.getvalue()


def zip_of(*members: tuple[zipfile.ZipInfo, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as packed:
        for info, data in members:
            packed.writestr(info, data, zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def take(tmp_path: Path, data: bytes, folder: str | None = None) -> Path:
    archive, out = tmp_path / "archive", tmp_path / "in" / "out"
    archive.write_bytes(data)
    try:
        take_files(archive, folder, [NAME], out)
    finally:
        # Whatever else: nothing beside the one file, and nothing elsewhere.
        assert {path.name for path in out.iterdir()} <= {NAME}
        assert {path.name for path in (tmp_path / "in").iterdir()} == {"out"}
        assert {path.name for path in tmp_path.iterdir()} <= {"archive", "in", "outside"}
    return out / NAME


def test_a_good_archive_packed_or_not(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/no/room")
    data = tar_of((f"./model/{NAME}", b"weights", {}))
    assert take(tmp_path, data).read_bytes() == b"weights"
    assert take(tmp_path, gzip.compress(data)).read_bytes() == b"weights"


@pytest.mark.parametrize(
    "name", [*(up + NAME for up in ("../", "model/../../", "/tmp/", "//", "./../")), "../outside"]
)
def test_members_outside_are_not_taken(tmp_path, outside, name):
    for data in tar_of((name, b"evil", {})), zip_of((zipfile.ZipInfo(name), b"evil")):
        with pytest.raises(FetchError, match="does not hold"):
            take(tmp_path, data)
    assert outside.read_text() == SECRET


@pytest.mark.parametrize("kind", ["SYM", "LNK", "CHR", "BLK", "FIFO", "DIR"])
def test_links_devices_and_pipes_are_not_taken(tmp_path, outside, kind):
    link = (NAME, None, {"type": getattr(tarfile, f"{kind}TYPE"), "linkname": str(outside)})
    with pytest.raises(FetchError, match="does not hold"):
        take(tmp_path, tar_of(link))


def test_a_link_first_and_a_file_through_it_then(tmp_path, outside):
    link = ("model", None, {"type": tarfile.SYMTYPE, "linkname": str(tmp_path)})
    data = tar_of(link, (f"model/{NAME}", b"weights", {}))
    assert take(tmp_path, data).read_bytes() == b"weights"
    assert not (tmp_path / NAME).exists()


def test_two_files_of_one_name_are_no_model(tmp_path):
    twice = tar_of((f"a/{NAME}", b"good", {}), (f"b/{NAME}", b"evil", {}))
    with pytest.warns(UserWarning, match="Duplicate name"):
        doubled = zip_of((zipfile.ZipInfo(NAME), b"good"), (zipfile.ZipInfo(NAME), b"evil"))
    for data in (twice, doubled):
        with pytest.raises(FetchError, match="more than once"):
            take(tmp_path, data)


def test_links_and_cut_names_in_a_zip_are_not_taken(tmp_path, outside):
    link = zipfile.ZipInfo(NAME)
    link.external_attr = 0o120777 << 16
    # Python's zipfile cuts a name at a NUL, as it would not be written by it: by hand.
    longer = zip_of((zipfile.ZipInfo(f"{NAME}0.txt"), b"evil"))
    cut = longer.replace(f"{NAME}0.txt".encode(), f"{NAME}\0.txt".encode())
    for data in zip_of((link, str(outside).encode())), cut:
        with pytest.raises(FetchError, match="does not hold"):
            take(tmp_path, data)


def test_a_locked_or_strangely_packed_zip_is_damaged(tmp_path):
    data = bytearray(zip_of((zipfile.ZipInfo(NAME), b"weights")))
    directory = data.rindex(b"PK\x01\x02")
    locked, strange = bytearray(data), bytearray(data)
    locked[directory + 8] |= 1
    strange[directory + 10 : directory + 12] = b"\x63\x00"
    for wrong in (locked, strange):
        with pytest.raises(FetchError, match="is damaged"):
            take(tmp_path, bytes(wrong))


HUGE = bytes(2 << 20)
MODEL: Member = (NAME, b"weights", {})
COMMENT = {"pax_headers": {"comment": "x" * len(HUGE)}}
BOMBS = {
    "a model": gzip.compress(tar_of((NAME, HUGE, {}))),
    # What is not wanted is unpacked as well, to get past it.
    "beside the model": gzip.compress(tar_of(("other", HUGE, {}), MODEL)),
    # The reader takes all of a long name into memory.
    "a name": gzip.compress(tar_of(("x" * len(HUGE), b"", {}), MODEL)),
    "a comment": gzip.compress(tar_of(("other", b"", COMMENT), MODEL)),
    "a model in a zip": zip_of((zipfile.ZipInfo(NAME), HUGE)),
    "members": tar_of(*((f"{n}", b"", {}) for n in range(101)), MODEL),
    "members of a zip": zip_of(*((zipfile.ZipInfo(f"{n}"), b"") for n in range(101))),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs(tmp_path, bomb, monkeypatch):
    data = BOMBS[bomb]
    assert len(data) < 200_000
    # The bounds of the real thing, scaled down with it.
    monkeypatch.setattr(archives, "HARMLESS", 1 << 20)
    monkeypatch.setattr(archives, "MOST_MEMBERS", 100)
    with pytest.raises(FetchError, match="no archive of models does, so it is not unpacked"):
        take(tmp_path, data)
    assert sum(path.stat().st_size for path in (tmp_path / "in").rglob("*")) <= 1 << 20


def test_a_sparse_file_is_not_taken(tmp_path):
    """4 MiB of holes in 2 KB, where it could be terabytes."""
    info = tarfile.TarInfo(NAME)
    info.type, info.size = tarfile.GNUTYPE_SPARSE, 512
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[386:410] = b"00000000000\0" + b"00000001000\0"  # one piece, at the start
    header[483:495] = b"\x80" + (4 << 20).to_bytes(11, "big")  # its real size
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    with pytest.raises(FetchError, match="does not hold"):
        take(tmp_path, bytes(header) + bytes(512) + bytes(1024))


def test_the_real_bounds_hold_the_largest_models():
    largest = 400 << 20  # of the catalogue, and a page of weights never packs to a hundredth
    assert 4 * largest < archives.MOST_BYTES
    assert archives.HARMLESS * archives.MOST_TIMES > archives.MOST_BYTES

"""Small files that would become large ones: refused, or read, in bounded memory."""

import multiprocessing
import resource
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image
from pipeline.picture_files import jpeg_segment, png_file, saved

from ppocr_pipeline import decode as image

SPARE = 96 << 20  # bytes that a picture may take beyond what was there before
GRAY_TIFF = {258: 8, 259: 1, 262: 1, 277: 1}


def squeezed(size):
    """So many zeros, a two hundredth of their size."""
    deflate = zlib.compressobj(1)
    return b"".join(deflate.compress(bytes(1 << 20)) for _ in range(size >> 20)) + deflate.flush()


def png(width, height, *extra, size):
    head = (width, height, 8, 0, 0, 0, 0)
    return png_file(head, *extra, (b"IDAT", squeezed(size)))


def directory(entries):
    """A directory of tags (tag, type, count, value)."""
    rows = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    return struct.pack("<H", len(entries)) + rows + bytes(4)


def tiff(width, height, data, *more, **_):
    page = GRAY_TIFF | {256: width, 257: height, 273: 8, 278: height, 279: len(data)}
    changed = {entry[0] for entry in more}
    entries = [(tag, 4, 1, value) for tag, value in page.items() if tag not in changed]
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory([*entries, *more])


def jpeg(width=64, height=64, **options):
    data = saved(Image.new("RGB", (64, 64)), "JPEG", **options)
    frame = data.index(b"\xff\xc2" if options else b"\xff\xc0") + 5
    return data[:frame] + struct.pack(">HH", height, width) + data[frame + 4 :]


def jpeg_of_scans(count):
    data = jpeg(progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * count + data[-2:]


def jpeg_with_tags(count):
    """EXIF tags that claim the same 30,000 bytes each, a segment full of them."""
    entries = [(1000 + tag, 1, 30_000, 8) for tag in range(count)]
    exif = b"Exif\0\0II*\0\x08\0\0\0" + directory(entries)
    return jpeg()[:2] + jpeg_segment(0xE1, exif + bytes(64_000 - len(exif))) + jpeg()[2:]


def frames(kind, count=150):
    """Frames that would take more than SPARE together."""
    several = [Image.new("RGB", (512, 512), (index, 0, 9)) for index in range(count)]
    return saved(several[0], kind, save_all=True, append_images=several[1:])


def many_pages(count):
    """A page, and a chain of directories without entries behind it."""
    first = tiff(10, 10, bytes(100))
    places = [len(first) + 6 * index for index in range(count)]
    chain = b"".join(struct.pack("<HI", 0, place) for place in [*places[1:], 0])
    return first[:-4] + struct.pack("<I", places[0]) + chain


ORIENTED = b"II*\0\x08\0\0\0" + directory([(0x0112, 3, 1, 6)])
WEBP_CANVAS = b"VP8X" + struct.pack("<I", 10) + bytes([16, 0, 0, 0]) + b"\xfe\x3f\0" * 2
BOMBS = {
    "png 20000x20000": (lambda: png(20_000, 20_000, size=400 << 20), "max_image_pixels"),
    "png with EXIF": (
        lambda: png(20_000, 20_000, (b"eXIf", ORIENTED), size=400 << 20),
        "max_image_pixels",
    ),
    "png of more data": (lambda: png(10, 10, size=300 << 20), "it holds more data"),
    "png of text": (
        lambda: png(
            *(10, 10, (b"zTXt", b"Raw profile type exif\0\0" + squeezed(300 << 20))), size=1 << 20
        ),
        None,
    ),
    "png of a profile": (
        lambda: png(10, 10, (b"iCCP", b"x\0\0" + squeezed(300 << 20)), size=1 << 20),
        None,
    ),
    "apng of 150 frames": (lambda: frames("PNG"), None),
    "webp of 150 frames": (lambda: frames("WEBP"), None),
    "webp of a large canvas": (
        lambda: b"RIFF" + struct.pack("<I", 42) + b"WEBP" + WEBP_CANVAS + bytes(20),
        "max_image_pixels",
    ),
    "jpeg 65535 wide": (lambda: jpeg(65_535, 8), "max_image_side"),
    "jpeg of 2000 scans": (lambda: jpeg_of_scans(2000), "max_image_scans"),
    "jpeg of comments": (
        lambda: jpeg()[:2] + jpeg_segment(0xFE, b"") * 10**6 + jpeg()[2:],
        "segments",
    ),
    "jpeg of tags": (lambda: jpeg_with_tags(5000), None),
    "tiff of tags": (
        lambda: tiff(
            *(10, 10, bytes(2 << 20), *((tag, 1, 2 << 20, 8) for tag in range(1000, 4000)))
        ),
        None,
    ),
    "tiff of 100000 pages": (lambda: many_pages(100_000), None),
    "tiff that is large by its tags": (lambda: tiff(2**31, 2**31, bytes(100)), "truncated TIFF"),
    "tiff of one large tile": (
        lambda: tiff(
            *(10, 10, bytes(100), (322, 4, 1, 40_000), (323, 4, 1, 40_000)),
            *((324, 4, 1, 8), (325, 4, 1, 100), (259, 4, 1, 8)),
        ),
        "are larger than the page",
    ),
    "tiff of zeros": (lambda: tiff(10, 10, squeezed(300 << 20), (259, 4, 1, 8)), None),
    "bmp 60000x60000": (
        lambda: (
            b"BM" + bytes(12) + struct.pack("<IiiHHI", 40, 60_000, 60_000, 1, 24, 0) + bytes(20)
        ),
        "max_image_side",
    ),
    "bmp upside down": (
        lambda: b"BM" + bytes(12) + struct.pack("<IiiHHI", 40, 9, -(2**31), 1, 24, 0) + bytes(20),
        "max_image_side",
    ),
}


def decode_in_little_memory(data, answers):
    """Tell what became of a file: its shape, or why it was refused."""
    image.decode_image(jpeg())
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + SPARE, used + SPARE))
    try:
        answers.send(str(image.decode_image(data).shape))
    except ValueError as error:
        answers.send(str(error))


def decoded_by_a_child(data):
    """The exit code of a process with little memory that decodes a file, and what it told."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(
        target=decode_in_little_memory, args=(data, theirs)
    )
    child.start()
    theirs.close()
    child.join()
    return child.exitcode, ours.recv() if ours.poll() else None


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_takes_little_memory(name):
    make, said = BOMBS[name]
    exitcode, answer = decoded_by_a_child(make())
    assert exitcode == 0
    assert answer.endswith(", 3)") if said is None else said in answer


def test_the_bound_would_be_seen():
    large = saved(Image.new("L", (9000, 9000)), "PNG", compress_level=1)
    exitcode, answer = decoded_by_a_child(large)
    assert exitcode != 0 or "cannot be decoded" in answer

"""Downloads that resume where they broke off and are checked before anyone sees them."""

from __future__ import annotations

import errno
import http.client
import logging
import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO

from ppocr_converters.errors import FetchError
from ppocr_converters.files import sha256_file

logger = logging.getLogger(__name__)

ATTEMPTS = 4
#: Seconds without an answer or a byte. Where a network swallows what it does not allow, the next
#: source of a model waits for so long.
TIMEOUT = 10.0
BLOCK = 1 << 18
#: No archive of models is larger. Who sends more only fills the disk.
MOST_BYTES = 4 << 30
#: Errors of the disk, not of the connection: trying again does not help.
LOCAL = frozenset({errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EROFS, errno.EACCES})


def download(url: str, target: Path, *, size: int | None = None, sha256: str | None = None) -> Path:
    """Download a file of `size` bytes; a transfer that broke off, earlier too, is resumed.

    The bytes are collected in `<target>.part`, which stays there when the connection fails for
    good, so that the next call goes on from it. A complete but wrong file is removed.

    Raises:
        FetchError: unreachable, refused, led astray, broken off too often, endless, or not what
            was recorded; then both sizes or both digests are named.
    """
    if not url.startswith(("http://", "https://")):
        raise FetchError(f"cannot download {url!r}: the address must be http or https")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    for attempt in range(1, ATTEMPTS + 1):
        before = _size(part)
        try:
            promised = _transfer(url, part, target.name)
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, OSError) and error.errno in LOCAL:
                part.unlink(missing_ok=True)  # room for whatever mends it; it would not fit either
                raise FetchError(f"cannot write {target}: {error.strerror}") from error
            reached = type(error) is not urllib.error.URLError  # that is of connecting alone
            cause = error if reached else getattr(error, "reason", error)
            reason = getattr(cause, "strerror", None) or str(cause) or type(error).__name__
        else:
            if promised is None or _size(part) >= promised:
                break
            reason, reached = f"{_size(part)} of {promised} bytes arrived", True
        if attempt == ATTEMPTS or (_size(part) == before and (attempt > 1 or not reached)):
            kept = f"; {_size(part)} bytes are kept, run again to resume" if _size(part) else ""
            raise FetchError(f"cannot download {url}: {reason}{kept}")
        logger.info("%s broke off (%s), trying again", url, reason)
    try:
        check_file(part, url, size=size, sha256=sha256)
    except FetchError:
        part.unlink()
        raise
    part.replace(target)
    return target


def check_file(path: Path, origin: str, *, size: int | None, sha256: str | None) -> None:
    """Compare a file with what was recorded of it.

    Raises:
        FetchError: another size or digest; both are named.
    """
    if size is not None and path.stat().st_size != size:
        raise FetchError(
            f"{origin} is damaged, or another file: it has {path.stat().st_size} bytes, {size} are "
            "recorded"
        )
    if sha256 is not None and (found := sha256_file(path)) != sha256:
        raise FetchError(
            f"{origin} is damaged, or another file: its SHA-256 is {found}, {sha256} is recorded"
        )


def _transfer(url: str, part: Path, label: str) -> int | None:
    """Add to `part` what the server still has; returns the promised size of the whole file."""
    start, opener = _size(part), urllib.request.build_opener(_Redirects)
    request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    try:
        with opener.open(request, timeout=TIMEOUT) as response:
            if start and response.status != http.HTTPStatus.PARTIAL_CONTENT:
                start = 0  # the server sends the whole file again
            return _append(response, part, label, start)
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and start:
            part.unlink()  # longer than the file there: it cannot be a part of it
            return _transfer(url, part, label)
        if error.code < http.HTTPStatus.INTERNAL_SERVER_ERROR:
            raise FetchError(f"cannot download {url}: HTTP {error.code} {error.reason}") from error
        raise


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirect that gives up encryption, nor one to anything but http(s)."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        allowed = ("https://",) if req.full_url.startswith("https://") else ("https://", "http://")
        if not newurl.lower().startswith(allowed):
            raise FetchError(
                f"{req.full_url} leads to {newurl}; only {' and '.join(allowed)} are followed"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _append(response: http.client.HTTPResponse, part: Path, label: str, start: int) -> int | None:
    """Write an answer to `part` from byte `start` on; returns the promised size of the file."""
    from tqdm import tqdm

    whole = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
    if whole and int(whole[1]) != start:
        raise FetchError(f"the server answered from byte {whole[1]}, asked was {start}")
    length = whole[2] if whole else response.headers.get("Content-Length")
    promised = None if length is None else int(length) + (0 if whole else start)
    with (
        part.open("ab" if start else "wb") as file,
        tqdm(
            desc=label, total=promised, initial=start, unit="B", unit_scale=True, disable=None
        ) as bar,
    ):
        while block := response.read(BLOCK):
            if file.tell() + len(block) > MOST_BYTES:
                raise FetchError(f"{label} has more than {MOST_BYTES} bytes; no model does")
            file.write(block)
            bar.update(len(block))
    return promised


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0

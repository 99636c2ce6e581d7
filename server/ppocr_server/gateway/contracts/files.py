"""The file of a request: base64 text, or an address where addresses are allowed."""

from __future__ import annotations

import base64
import binascii
import posixpath
from collections.abc import Sequence
from urllib.parse import unquote, urlsplit

from ppocr_pipeline.formats.base64_text import standard
from ppocr_server.gateway.call import CALL
from ppocr_server.gateway.failures import Failure

ADDRESS = ("http://", "https://")
FETCH_SECONDS = 30.0
SHOWN = 24  # characters of what is no base64 text
HOW = "send the bytes of the file itself, encoded in base64"
PORTS = {"http": 80, "https": 443}


def file_of_base64(text: str, name: str, status: int = 422) -> bytes:
    """The bytes that base64 text stands for, in any of its spellings; see `standard`.

    Args:
        text: as sent.
        name: of the field, for the message.
        status: of the failure.

    Raises:
        Failure: it is no base64 text.
    """
    try:
        return base64.b64decode("".join(standard(text).split()), validate=True)
    except (binascii.Error, ValueError) as error:
        message = f"{name} begins with {text[:SHOWN]!r} and is not base64 text: {error}; {HOW}"
        raise Failure(status, "invalid_file", message) from None


async def fetched(url: str, prefixes: Sequence[str], max_bytes: int) -> bytes:
    """The file at an address that begins with one of the prefixes; redirects are not followed.

    Raises:
        Failure: the address is not allowed, or does not answer with a file of at most `max_bytes`.
    """
    if not is_allowed(url, prefixes):
        allowed = f"addresses below {', '.join(prefixes)}" if prefixes else "no addresses"
        raise Failure(
            422,
            "invalid_file",
            f"the file is an address; allowed: base64 text, and {allowed}; send the file itself, "
            "or start the gateway with --allow-url-prefix",
        )
    import aiohttp  # slow to load, and few requests name an address

    limit = aiohttp.ClientTimeout(total=CALL.get().seconds_left(FETCH_SECONDS))
    try:
        async with (
            aiohttp.ClientSession(timeout=limit, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.get(url, allow_redirects=False) as answer,
        ):
            if answer.status != 200:
                raise _unread(url, f"it answers with status {answer.status}")
            data = bytearray()
            async for chunk in answer.content.iter_chunked(1 << 16):
                data += chunk
                if len(data) > max_bytes:
                    raise _unread(url, f"it is longer than {max_bytes} bytes")
            return bytes(data)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise _unread(url, str(error) or type(error).__name__) from error


def is_allowed(url: str, prefixes: Sequence[str]) -> bool:
    """Whether an address has the scheme, host and port of a prefix and a path below its path."""
    try:
        asked, *known = (_parts(one) for one in (url, *prefixes))
    except ValueError:  # a port that is no number, a broken IPv6 address
        return False
    if asked is None:
        return False
    return any(one is not None and one[0] == asked[0] and _below(asked[1], one[1]) for one in known)


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _parts(url: str) -> tuple[tuple[str, str | None, int | None], str] | None:
    """What an address is compared by; None where it could be read in two ways."""
    parts = urlsplit(url)
    path = unquote(parts.path)
    odd = "@" in parts.netloc or "\\" in url or path != unquote(path) or not url.isprintable()
    if odd or parts.scheme not in PORTS:
        return None
    path = posixpath.normpath(path or "/") + ("/" if path.endswith("/") and path != "/" else "")
    return (parts.scheme, parts.hostname, parts.port or PORTS[parts.scheme]), path


def _unread(url: str, reason: str) -> Failure:
    return Failure(422, "invalid_file", f"cannot fetch {url[:200]}: {reason}")

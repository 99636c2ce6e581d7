"""The files of a request: its body, a form of several, base64 in JSON, or an allowed address."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from ppocr_pipeline.formats.base64_text import standard
from ppocr_server.gateway.failures import Failure
from ppocr_server.gateway.reader import CALL

MAX_FILES = 1000
SHOWN = 80  # characters of the names in a JSON body
SHOWN_BASE64 = 24  # characters of what is no base64 text
FETCH_SECONDS = 30.0
HOW = (
    'send the file itself as the body, a form with files, or {"file": "<base64 of the file>"} '
    'with Content-Type: application/json ("files" for several)'
)


class Upload(NamedTuple):
    """A file, and its name if it came with one."""

    name: str
    data: bytes


#: Files, and the parameters that came beside them in the body.
Sent = tuple[list[Upload], list[tuple[str, Any]]]


async def files_of(request: Request) -> Sent:
    """The files of a request, at least one; a Failure says what is wrong with the body."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        files, fields = await _files_of_form(request)
    else:
        body = await request.body()
        # curl sends JSON with another type unless told; no picture begins like this.
        if kind == "application/json" or body[:64].lstrip()[:1] == b"{":
            # In a thread: others would wait while 256 MiB are decoded.
            files, fields = await asyncio.to_thread(_files_of_json, body)
        else:
            files, fields = [Upload("", body)], []
    if not any(file.data for file in files):
        raise Failure(400, "empty_file", f"there is no file; {HOW}")
    return files, fields


async def _files_of_form(request: Request) -> Sent:
    files, fields = [], []
    try:
        async with request.form(max_files=MAX_FILES) as form:
            for name, value in form.multi_items():
                if isinstance(value, UploadFile):
                    files.append(Upload(value.filename or "", await value.read()))
                else:
                    fields.append((name, value))
    except Failure:
        raise
    except HTTPException as error:
        raise _invalid(f"the form is damaged: {str(error.detail).rstrip('.')}") from None
    return files, fields


def _files_of_json(body: bytes) -> Sent:
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _invalid(f"the body is not JSON: {error}") from None
    if not isinstance(sent, dict) or ("file" in sent) == ("files" in sent):
        got = ", ".join(map(repr, sent))[:SHOWN] if isinstance(sent, dict) else type(sent).__name__
        raise _invalid(f"the JSON holds {got or 'nothing'}; allowed: 'file' or 'files'")
    texts = sent.pop("files") if "files" in sent else [sent.pop("file")]
    if not isinstance(texts, list) or len(texts) > MAX_FILES:
        raise _invalid(f"'files' is no list of at most {MAX_FILES}")
    files = []
    for text in texts:
        if not isinstance(text, str):
            raise _invalid(f"a file is a JSON {type(text).__name__}")
        files.append(Upload("", file_of_base64(text, "a file", 400)))
    return files, list(sent.items())


def _invalid(reason: str) -> Failure:
    return Failure(400, "invalid_request", f"{reason}; {HOW}")


def file_of_base64(text: str, name: str, status: int = 422) -> bytes:
    """The bytes that base64 text stands for, in any of its spellings; see `standard`.

    Where it is no base64 text, a Failure of this status names its field.
    """
    try:
        return base64.b64decode("".join(standard(text).split()), validate=True)
    except ValueError as error:
        raise Failure(
            status,
            "invalid_file",
            f"{name} begins with {text[:SHOWN_BASE64]!r} and is not base64 text: {error}; send the "
            "bytes of the file itself, encoded in base64",
        ) from None


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

    def unread(reason: str) -> Failure:
        return Failure(422, "invalid_file", f"cannot fetch {url[:200]}: {reason}")

    limit = aiohttp.ClientTimeout(total=CALL.get().seconds_left(FETCH_SECONDS))
    try:
        async with (
            aiohttp.ClientSession(timeout=limit, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.get(url, allow_redirects=False) as answer,
        ):
            if answer.status != 200:
                raise unread(f"it answers with status {answer.status}")
            data = bytearray()
            async for chunk in answer.content.iter_chunked(1 << 16):
                data += chunk
                if len(data) > max_bytes:
                    raise unread(f"it is longer than {max_bytes} bytes")
            return bytes(data)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise unread(str(error) or type(error).__name__) from error


def is_allowed(url: str, prefixes: Sequence[str]) -> bool:
    """Whether an address has the scheme, host and port of a prefix and a path below its path."""
    from yarl import URL  # what aiohttp asks by: it resolves dots and escapes

    try:
        asked, *known = map(URL, (url, *prefixes))
    except ValueError:  # a port that is no number, a broken IPv6 address
        return False
    path = asked.path
    could_be_read_in_two_ways = (
        "@" in asked.raw_authority
        or "\\" in path
        or ".." in path.split("/")
        or path != unquote(path)
        or not url.isprintable()
    )
    if could_be_read_in_two_ways or asked.scheme not in ("http", "https"):
        return False
    server = asked.scheme, asked.host, asked.port
    return any(
        (one.scheme, one.host, one.port) == server and _below(path, one.path) for one in known
    )


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")

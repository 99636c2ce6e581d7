"""The files of a request: its body, a form of several, or JSON with base64."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from ppocr_server.gateway.contracts.files import file_of_base64
from ppocr_server.gateway.failures import Failure

MAX_FILES = 1000
SHOWN = 80  # characters of the names in a JSON body
FORM = "multipart/form-data"
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
    """The files of a request, at least one.

    Raises:
        Failure: there is none, the body is damaged, or it is longer than allowed.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == FORM:
        files, fields = await _files_of_form(request)
    else:
        body = await request.body()
        # curl sends JSON with another type unless told; no picture begins like this.
        if kind == "application/json" or body[:64].lstrip()[:1] == b"{":
            files, fields = _files_of_json(body)
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
        reason = str(error.detail).rstrip(".")
        raise Failure(400, "invalid_request", f"the form is damaged: {reason}; {HOW}") from None
    return files, fields


def _files_of_json(body: bytes) -> Sent:
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Failure(400, "invalid_request", f"the body is not JSON: {error}; {HOW}") from None
    if not isinstance(sent, dict) or ("file" in sent) == ("files" in sent):
        got = ", ".join(map(repr, sent))[:SHOWN] if isinstance(sent, dict) else type(sent).__name__
        message = f"the JSON holds {got or 'nothing'}; allowed: 'file' or 'files'; {HOW}"
        raise Failure(400, "invalid_request", message)
    texts = sent.pop("files", None) if "files" in sent else [sent.pop("file")]
    if not isinstance(texts, list) or len(texts) > MAX_FILES:
        raise Failure(400, "invalid_request", f"'files' is no list of at most {MAX_FILES}; {HOW}")
    return [Upload("", _from_base64(text)) for text in texts], list(sent.items())


def _from_base64(text: Any) -> bytes:
    if not isinstance(text, str):
        raise Failure(400, "invalid_request", f"a file is a JSON {type(text).__name__}; {HOW}")
    return file_of_base64(text, "a file", 400)

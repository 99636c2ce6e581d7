"""The mixed requests of a soak, and how each answer has to be."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Mapping, Sequence
from itertools import count
from typing import NamedTuple

import cv2

from ppocr_bench.load import closed_loop
from ppocr_bench.pictures import Picture
from ppocr_bench.target import Bytes, infer
from ppocr_client.errors import DeadlineExceeded, InvalidRequest, OcrError
from ppocr_client.transport.base import Transport, connect, parse_url
from ppocr_converters.pictures.render import render_page

IMPATIENT = 0.02  # seconds after which a client gives its request up
#: How often each kind of request is sent, of a hundred, and the model it asks to the byte.
KINDS = {
    "read": (62, "ocr"),
    "detect": (8, "detect"),
    "recognize": (8, "recognize"),
    "big": (4, "ocr"),
    "bad": (12, ""),
    "impatient": (4, ""),
    "reconnect": (2, ""),
}


class Outcome(NamedTuple):
    """What became of a request: its kind, which picture was read, and what was wrong, or ""."""

    kind: str
    picture: str = ""
    fault: str = ""


class Workload(contextlib.ExitStack):
    """Requests whose number alone decides what is sent; the big picture is the last one.

    Each thread that sends is a client with a connection of its own, closed at the end. `alone` is
    the answer to each picture that a single client got, by model and name.
    """

    def __init__(
        self,
        urls: Sequence[str],
        pictures: Sequence[Picture],
        alone: Mapping[tuple[str, str], Bytes],
    ) -> None:
        super().__init__()
        self._urls, (*self._pictures, self._big), self._alone = urls, pictures, alone
        first = pictures[0].data
        bad = {"empty": b"", "text": b"no picture " * 100, "cut off": first[: len(first) // 3]}
        self._bad = [*bad.items(), ("option", first)]
        self._own, self._clients = threading.local(), count()

    def send(self, number: int) -> Outcome:
        """Send the request of that number, and judge what comes back."""
        chance = random.Random(number)  # nosec B311 # not for secrets
        kind = chance.choices(list(KINDS), [weight for weight, _ in KINDS.values()])[0]
        picture = self._big if kind == "big" else chance.choice(self._pictures)
        fault, model = "", KINDS[kind][1]
        try:
            if kind == "reconnect" or not hasattr(self._own, "transport"):
                self._reconnect()
            if kind == "bad":
                fault = self._send_bad(*chance.choice(self._bad))
            elif kind == "impatient":
                with contextlib.suppress(DeadlineExceeded):
                    infer(self._own.transport, picture.data, timeout=IMPATIENT)
            elif model:
                answer = infer(self._own.transport, picture.data, model)
                expected = self._alone[model, picture.name]
                other = ", ".join(name for name in expected if answer[name] != expected[name])
                fault = f"{model}, {picture.name}: {other} differ from before" if other else ""
        except OcrError as error:
            fault = f"{kind} over {self._own.url}: {type(error).__name__}: {error}"
        return Outcome(kind, picture.name if kind == "read" and not fault else "", fault)

    def _send_bad(self, what: str, data: bytes) -> str:
        """A file that cannot be read, or an option that is wrong: refused, with the reason."""
        options = {"drop_score": 7} if what == "option" else {}
        try:
            infer(self._own.transport, data, parameters=options)
        except InvalidRequest:
            return ""
        return f"bad ({what}) over {self._own.url}: answered as if it were good"

    def _reconnect(self) -> None:
        if hasattr(self._own, "transport"):
            self._own.transport.close()
        else:
            self._own.url = self._urls[next(self._clients) % len(self._urls)]
        self._own.transport = connect(parse_url(self._own.url))
        self.callback(self._own.transport.close)


def prepare(
    transport: Transport, urls: Sequence[str], pictures: Sequence[Picture], clients: int
) -> Workload:
    """Get every answer alone, then let every instance meet every picture.

    What each instance keeps of the largest picture is there before anything is judged.
    """
    # A page of 26 MB, uncompressed; the server takes up to 32.
    page = cv2.resize(render_page(seed=5, lines=6, width=960).image, (3600, 2400))
    every = [*pictures, Picture("big.bmp", cv2.imencode(".bmp", page)[1].tobytes())]
    asked = {("ocr", one.name): one.data for one in every}
    asked |= {(m, one.name): one.data for m in ("detect", "recognize") for one in pictures}
    alone = {(model, name): infer(transport, data, model) for (model, name), data in asked.items()}

    def send(number: int) -> Bytes:
        return infer(transport, every[number % len(every)].data)

    closed_loop(send, clients, requests=2 * clients * len(every))
    return Workload(urls, every, alone)

"""What the clients of a soak send, and how each answer has to be."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ppocr_bench.consistency import ask, raw
from ppocr_bench.pictures import Picture

if TYPE_CHECKING:
    from ppocr_client.transport.base import Transport

TIMEOUT = 120.0
IMPATIENT = 0.02  # seconds after which a client gives its request up
#: How often each kind of request is sent, of a hundred.
KINDS = {
    "read": 62,
    "detect": 8,
    "recognize": 8,
    "big": 4,
    "bad": 12,
    "impatient": 4,
    "reconnect": 2,
}
SHOWN = 20  # faults that are kept in words

Bytes = dict[str, bytes]


@dataclass
class Seen:
    """What clients have seen; each has one of its own, added up in the end.

    Attributes:
        counts: requests by kind.
        latencies: when a picture's answer came, which picture, and how long it took, seconds.
        faults: wrong answers and errors that should not have been, in words; the first ones.
        faulty: how many there were.
    """

    counts: Counter[str] = field(default_factory=Counter)
    latencies: list[tuple[float, str, float]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    faulty: int = 0

    def fault(self, text: str) -> None:
        """Take note of something that should not have been."""
        self.faulty += 1
        if len(self.faults) < SHOWN:
            self.faults.append(text)

    def add(self, other: Seen) -> None:
        """Take over what another client has seen."""
        self.counts += other.counts
        self.latencies += other.latencies
        self.faults = [*self.faults, *other.faults][:SHOWN]
        self.faulty += other.faulty


@dataclass(frozen=True)
class Goods:
    """What is sent.

    Attributes:
        pictures: that can be read.
        big: one of many bytes.
        bad: what the server has to refuse, by what is wrong with it.
        alone: the answer to each picture that a single client got, by name and model.
    """

    pictures: Sequence[Picture]
    big: Picture
    bad: Mapping[str, bytes]
    alone: Mapping[tuple[str, str], Bytes]


def gather_goods(transport: Transport, pictures: Sequence[Picture]) -> Goods:
    """Make the big and the bad ones, and get every answer alone."""
    big = big_picture()
    alone = {}
    for picture in (*pictures, big):
        alone["ocr", picture.name] = ask(transport, picture, {})
    for picture in pictures:
        for model in ("detect", "recognize"):
            alone[model, picture.name] = infer(transport, model, picture.data)
    return Goods(pictures, big, bad_pictures(pictures[0].data), alone)


def fill_up(transport: Transport, goods: Goods, clients: int) -> None:
    """Let every instance meet every picture, so that what each keeps of the largest is there."""
    from ppocr_bench.consistency import ask_at_once

    pictures = [goods.big, *goods.pictures]
    ask_at_once(transport, pictures, {}, clients, 2 * clients * len(pictures))


def big_picture() -> Picture:
    """A page of 26 MB, uncompressed; the server takes up to 32."""
    import cv2

    from ppocr_converters.pictures.render import render_page

    page = render_page(seed=5, lines=6, width=960)
    large = cv2.resize(page.image, (3600, 2400), interpolation=cv2.INTER_LINEAR)
    return Picture("big.bmp", cv2.imencode(".bmp", large)[1].tobytes())


def bad_pictures(good: bytes) -> dict[str, bytes]:
    """Files that no server can read."""
    return {"empty": b"", "text": b"no picture " * 100, "cut off": good[: len(good) // 3]}


def infer(transport: Transport, model: str, data: bytes) -> Bytes:
    """The bytes of every tensor that a model answers with."""
    from ppocr_client.transport.base import Infer

    answer = transport.send(Infer(model, {"IMAGE": np.array([data], np.object_)}, {}), TIMEOUT)
    return {name: raw(array) for name, array in sorted(answer.items())}


class Client:
    """One client: sends one request after the other until it is told to stop."""

    def __init__(self, url: str, goods: Goods, seed: int, over: threading.Event) -> None:
        """Connect to grpc://HOST:PORT or http://HOST:PORT."""
        self.seen = Seen()
        self._url, self._goods, self._over = url, goods, over
        self._chance = random.Random(seed)  # nosec B311 # not for secrets
        self._transport = self._connect()

    def run(self) -> None:
        """Send, and judge what comes back."""
        from ppocr_client.errors import OcrError

        kinds, weights = list(KINDS), list(KINDS.values())
        send: Mapping[str, Callable[[], None]] = {
            "read": self._read,
            "detect": lambda: self._part("detect"),
            "recognize": lambda: self._part("recognize"),
            "big": self._big,
            "bad": self._bad,
            "impatient": self._impatient,
            "reconnect": self._reconnect,
        }
        while not self._over.is_set():
            kind = self._chance.choices(kinds, weights)[0]
            try:
                send[kind]()
            except OcrError as error:
                self.seen.fault(f"{kind} over {self._url}: {type(error).__name__}: {error}")
            self.seen.counts[kind] += 1
        self._transport.close()

    def _read(self) -> None:
        picture = self._chance.choice(self._goods.pictures)
        begin = time.monotonic()
        answer = ask(self._transport, picture, {})
        end = time.monotonic()
        self.seen.latencies.append((end, picture.name, end - begin))
        self._compare("ocr", picture, answer)

    def _part(self, model: str) -> None:
        picture = self._chance.choice(self._goods.pictures)
        self._compare(model, picture, infer(self._transport, model, picture.data))

    def _big(self) -> None:
        self._compare("ocr", self._goods.big, ask(self._transport, self._goods.big, {}))

    def _bad(self) -> None:
        """A file that cannot be read, or an option that is wrong: refused, with the reason."""
        from ppocr_client.errors import InvalidRequest
        from ppocr_client.transport.base import Infer

        what, data = self._chance.choice([*self._goods.bad.items(), ("option", b"")])
        options = {"drop_score": 7} if what == "option" else {}
        request = Infer("ocr", {"IMAGE": np.array([data], np.object_)}, options)
        try:
            self._transport.send(request, TIMEOUT)
        except InvalidRequest:
            return
        self.seen.fault(f"bad ({what}) over {self._url}: answered as if it were good")

    def _impatient(self) -> None:
        """Give up before the answer can be there."""
        from ppocr_client.errors import DeadlineExceeded
        from ppocr_client.transport.base import Infer

        picture = self._chance.choice(self._goods.pictures)
        request = Infer("ocr", {"IMAGE": np.array([picture.data], np.object_)}, {})
        try:
            self._transport.send(request, IMPATIENT)
        except DeadlineExceeded:
            return

    def _reconnect(self) -> None:
        self._transport.close()
        self._transport = self._connect()

    def _compare(self, model: str, picture: Picture, answer: Bytes) -> None:
        expected = self._goods.alone[model, picture.name]
        differing = [name for name in expected if answer[name] != expected[name]]
        if differing:
            self.seen.fault(f"{model}, {picture.name}: {', '.join(differing)} differ from before")

    def _connect(self) -> Transport:
        from ppocr_client.transport.base import connect, parse_url

        return connect(parse_url(self._url))

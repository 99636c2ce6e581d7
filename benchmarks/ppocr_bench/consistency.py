"""consistency: many clients at the same time get, to the byte, the answers that one gets alone."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ppocr_bench.arguments import at_least
from ppocr_bench.errors import BenchError
from ppocr_bench.pictures import Picture, add_picture_arguments, gather
from ppocr_bench.target import add_target_arguments, target

if TYPE_CHECKING:
    import numpy as np

    from ppocr_client.transport.base import Transport

TENSORS = ("BOXES", "TEXTS", "SCORES", "BOX_SCORES")
TIMEOUT = 120.0

Bytes = dict[str, bytes]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this verb."""
    add_target_arguments(parser)
    add_picture_arguments(parser, pages=0)
    parser.add_argument("--clients", type=at_least(1), default=8, help="default: %(default)s")
    parser.add_argument(
        "--requests", type=at_least(1), default=200, help="in all (default: %(default)s)"
    )
    parser.add_argument(
        "--pictures",
        type=at_least(1),
        default=6,
        help="how many of them are used (default: %(default)s)",
    )
    parser.add_argument("--rec-padding", choices=("crop", "paddle"), default="crop")


@dataclass(frozen=True)
class Consistency:
    """The result.

    Attributes:
        url: which was asked.
        pictures: their names.
        clients: how many asked at the same time.
        requests: how many answers were compared.
        differences: what differed: picture, tensor, and how many of its answers.
        seconds: all requests together.
    """

    url: str
    pictures: list[str]
    clients: int
    requests: int
    differences: list[str]
    seconds: float

    @property
    def ok(self) -> bool:
        """Every answer was the one got alone."""
        return not self.differences

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        return {"ok": self.ok, **asdict(self)}

    def lines(self) -> list[str]:
        """The differences, and the counts."""
        return [
            *self.differences,
            f"{'PASS' if self.ok else 'FAIL'}: {self.requests} answers to {self.clients} clients "
            f"for {len(self.pictures)} pictures on {self.url.partition(':')[0]}, compared to the "
            f"byte with those got alone; {self.requests / self.seconds:.2f} pictures/s",
        ]


def run(args: argparse.Namespace) -> Consistency:
    """Ask alone, then all at once, for the first of the given addresses."""
    from ppocr_client.transport.base import connect, parse_url

    pictures = choose(gather(args), args.pictures)
    parameters = {"rec_padding": args.rec_padding}
    with target(args) as urls:
        transport = connect(parse_url(urls[0]))
        try:
            alone = [ask(transport, picture, parameters) for picture in pictures]
            begin = time.perf_counter()
            answers = ask_at_once(transport, pictures, parameters, args.clients, args.requests)
            seconds = time.perf_counter() - begin
        finally:
            transport.close()
    differences = [
        f"{picture.name}: {tensor} differs in {count} of {len(got)} answers"
        for index, (picture, expected) in enumerate(zip(pictures, alone, strict=True))
        for got in [answers[index :: len(pictures)]]
        for tensor in TENSORS
        if (count := sum(answer[tensor] != expected[tensor] for answer in got))
    ]
    names = [picture.name for picture in pictures]
    return Consistency(urls[0], names, args.clients, len(answers), differences, seconds)


def choose(pictures: Sequence[Picture], count: int) -> list[Picture]:
    """The first pictures, enough of them.

    Raises:
        BenchError: there are fewer.
    """
    if len(pictures) < count:
        raise BenchError(
            f"{count} pictures are wanted and {len(pictures)} are there; "
            "ask for --pages or name more with --images"
        )
    return list(pictures[:count])


def ask_at_once(
    transport: Transport,
    pictures: Sequence[Picture],
    parameters: Mapping[str, str],
    clients: int,
    requests: int,
) -> list[Bytes]:
    """Answers in the order of the requests; request i sends picture i modulo their number."""
    with ThreadPoolExecutor(clients) as pool:
        return list(
            pool.map(
                lambda i: ask(transport, pictures[i % len(pictures)], parameters), range(requests)
            )
        )


def ask(transport: Transport, picture: Picture, parameters: Mapping[str, str]) -> Bytes:
    """The bytes of every tensor of one answer."""
    import numpy as np

    from ppocr_client.transport.base import Infer

    image = np.array([picture.data], np.object_)
    answer = transport.send(Infer("ocr", {"IMAGE": image}, parameters), TIMEOUT)
    return {name: raw(answer[name]) for name in TENSORS}


def raw(array: np.ndarray) -> bytes:
    """Type, shape and content; texts with their lengths, so that no two are taken for one."""
    content = array.tolist() if array.dtype.hasobject else array.tobytes()
    return repr((array.dtype.str, array.shape, content)).encode()

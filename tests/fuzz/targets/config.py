"""Any config.yml becomes a table of its keys, or is refused with the key and what is allowed."""

import copy
from collections.abc import Iterator
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from ppocr_converters.errors import ConvertError
from ppocr_converters.repository.serving_config.document import expand
from ppocr_converters.repository.serving_config.explain import explain, table
from ppocr_converters.repository.serving_config.keys import NAME, all_keys
from ppocr_converters.repository.serving_config.service import load_service

from ..mutate import mutate_bytes

ROOT = Path(__file__).parents[3]
FOLDER = TemporaryDirectory(prefix="ppocr-fuzz-")
PATH = Path(FOLDER.name) / "config.yml"
LONGEST_MESSAGE = 10_000
SMALL = """
http_port: 9999
op:
  det: {local_service_conf: {model_config: PP-OCRv4_mobile_det}}
  rec: {local_service_conf: {model_config: PP-OCRv4_mobile_rec}}
"""
# What YAML makes something unexpected of.
VALUES = Path(__file__).with_name("config_values.txt").read_text("utf-8")
SPECIAL = [value.strip() for value in VALUES.replace("\n", "|").split("|") if value.strip()]


def one_input(data: bytes) -> None:
    """Read a file, plan what it becomes, and print it."""
    PATH.write_bytes(data)
    try:
        service = load_service(PATH)
    except ConvertError as error:
        # Printed, so it must be text, and of a length that somebody reads.
        assert len(str(error).encode()) < LONGEST_MESSAGE + len(data)
        return
    rows = explain(service)
    assert len(rows) == len(list(expand(service.document.ops)))
    assert table(rows).encode()


def seeds() -> Iterator[bytes]:
    """The configuration that comes with the project, the old example's, and a small one."""
    example = ROOT / "tests" / "serving_config" / "paddle_serving_example.yml"
    yield from (path.read_bytes() for path in (ROOT / "config.yml", example))
    yield SMALL.encode()
    yield b"op: {det: &a {retry: 2}, rec: {<<: [*a, {timeout: 5}], retry: 3}}\n"


def mutate(data: bytes, random: Random) -> bytes:
    """Give a key another value, or change bytes."""
    if random.random() < 0.3:
        return mutate_bytes(data, random)
    try:
        found = yaml.load(data, yaml.CSafeLoader)
        written = yaml.dump(_with_mark(found, random), Dumper=yaml.CSafeDumper)
    # What is no YAML any more, in one of many ways, is changed byte by byte.
    except Exception:  # noqa: BLE001
        return mutate_bytes(data, random)
    return written.replace("MARK", random.choice(SPECIAL)).encode("utf-8", "replace")


def _with_mark(data: Any, random: Random) -> dict[str, Any]:
    """A copy of a configuration with a mark in the place of one key's value, or of one's name."""
    root: dict[str, Any] = copy.deepcopy(data) or {}
    path = random.choice(list(all_keys())).replace(NAME, random.choice(("det", "rec", "cls", "op")))
    *sections, name = path.split(".")[: random.choice((1, 2, 9, 9, 9, 9))]
    place = root
    for section in sections:
        if not isinstance(place.get(section), dict):
            place[section] = {}
        place = place[section]
    place["MARK" if random.random() < 0.05 else name] = "MARK"
    return root

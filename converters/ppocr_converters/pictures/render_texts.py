"""Random lines and words of `phrases.yml`, and what has digits in it."""

from __future__ import annotations

import random
from importlib import resources

import yaml

_PHRASES = yaml.safe_load(resources.files(__package__).joinpath("phrases.yml").read_text("utf-8"))
CHINESE: tuple[str, ...] = tuple(_PHRASES["chinese"])
ENGLISH: tuple[str, ...] = tuple(_PHRASES["english"])
ALPHANUMERIC = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"


def random_line(rng: random.Random) -> str:
    """One line of random text: a Chinese or English phrase, or something with digits."""
    kind = rng.choices(("chinese", "english", "number"), weights=(6, 3, 3))[0]
    if kind == "chinese":
        return rng.choice(CHINESE)
    if kind == "english":
        return rng.choice(ENGLISH)
    return random_number(rng)


def random_number(rng: random.Random) -> str:
    """One line with digits in it: a date, time, price, telephone number, code or measurement."""
    day = f"{rng.randint(1990, 2035)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
    code = "".join(rng.choices(ALPHANUMERIC, k=rng.randint(6, 12)))
    return rng.choice(
        (
            day,
            f"{rng.randint(6, 22):02d}:{rng.randint(0, 59):02d}",
            f"合计：{rng.randint(1, 9999)}.{rng.randint(0, 99):02d}元",
            f"电话：0{rng.randint(10, 99)}-{rng.randint(20000000, 89999999)}",
            f"No.{code}",
            f"编号{code}",
            f"{rng.randint(1, 99)}.{rng.randint(0, 9)}%",
            f"共{rng.randint(2, 300)}页",
            f"{rng.randint(100, 999)}kg",
            f"第{rng.randint(1, 40)}号楼{rng.randint(101, 2809)}室",
        )
    )


def random_word(rng: random.Random) -> str:
    """Two to six characters that fit into one small cell of a dense page."""
    if rng.random() < 0.5:
        return str(rng.randint(10, 99999))
    phrase = rng.choice([line for line in CHINESE if line.isalpha()])
    length = min(len(phrase), rng.randint(2, 4))
    start = rng.randint(0, len(phrase) - length)
    return phrase[start : start + length]

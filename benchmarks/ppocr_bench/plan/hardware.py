"""The machines that a server can be placed on, from a file that people edit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ppocr_bench.errors import BenchError

CLASSES = Path(__file__).with_name("hardware.yml")
NEEDED = ("cores", "memory_gib", "price_per_hour")
WHOLE = ("cores", "gpus")


@dataclass(frozen=True)
class Hardware:
    """One class of machines.

    Attributes:
        name: of the class.
        cores: for one server.
        memory_gib: of the machine.
        price_per_hour: in the user's currency.
        gpus: 0 for none.
        speed: of one core beside one of the machine that was measured.
    """

    name: str
    cores: int
    memory_gib: float
    price_per_hour: float
    gpus: int = 0
    speed: float = 1.0


def read_hardware(path: Path, name: str) -> Hardware:
    """One class of a file.

    Raises:
        BenchError: the file cannot be read, has no such class, or the class is not as it must be.
    """
    import yaml

    try:
        classes = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise BenchError(f"cannot read {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BenchError(f"{path} is not YAML: {error}") from error
    if not isinstance(classes, dict) or name not in classes:
        known = ", ".join(map(str, classes)) if isinstance(classes, dict) else "nothing"
        raise BenchError(
            f"--hardware {name}: {path} has {known}; add a class, or take one of these"
        )
    return _checked(f"{path}: {name}", name, classes[name])


def _checked(place: str, name: str, values: Any) -> Hardware:
    fields = [field for field in Hardware.__annotations__ if field != "name"]
    if not isinstance(values, dict) or set(values) - set(fields) or set(NEEDED) - set(values):
        raise BenchError(
            f"{place} is {values!r}; it must have {', '.join(NEEDED)}, may have "
            f"{', '.join(field for field in fields if field not in NEEDED)}, and nothing else"
        )
    for field, value in values.items():
        number = isinstance(value, int if field in WHOLE else (int, float))
        low = field == "gpus"  # the one that may be 0
        if not number or isinstance(value, bool) or not (value >= 0 if low else value > 0):
            kind = "a whole number" if field in WHOLE else "a number"
            raise BenchError(f"{place}: {field} is {value!r}, not {kind} above {-1 if low else 0}")
    return Hardware(name, **values)

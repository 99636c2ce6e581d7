"""Tables of cases, which lie beside their tests as YAML."""

from pathlib import Path
from typing import Any

import yaml


def cases(test: str) -> Any:
    """What the YAML file of a test's name holds, by table; a list of rows or a mapping each.

    Args:
        test: `__file__` of the test.
    """
    return yaml.safe_load(Path(test).with_suffix(".yml").read_text("utf-8"))

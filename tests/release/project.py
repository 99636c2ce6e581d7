"""The project's metadata as `pyproject.toml` has it."""

from typing import Any

import tomli
from paths import ROOT

PROJECT: dict[str, Any] = tomli.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

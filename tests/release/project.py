"""The project's metadata as `pyproject.toml` has it."""

from pathlib import Path
from typing import Any

import tomli

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomli.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

"""Repositories that tests may change."""

import re
import shutil
from pathlib import Path


def small_copy(repository: Path, target: Path) -> Path:
    """A copy of a repository with one instance of everything."""
    shutil.copytree(repository, target)
    for config in target.glob("*/config.pbtxt"):
        text = re.sub(r"^  count: \d+", "  count: 1", config.read_text(), flags=re.MULTILINE)
        config.write_text(text)
    return target

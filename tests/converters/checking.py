"""What `ppocr-convert check` finds out about a path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ppocr_converters.graph import check as graph
from ppocr_converters.repository.models import ModelChoice, find_model_source


def check(path: Path, **said: Any) -> graph.Report:
    """The report on a model given by its path; what is said of it as in `ModelChoice`."""
    return graph.check(find_model_source(ModelChoice(str(path), **said), path.parent))

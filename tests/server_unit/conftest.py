"""Shared by the tests of the server package."""

from __future__ import annotations

from pathlib import Path

import pytest
from server_unit.tiny_models import add_model, config, plus_one


@pytest.fixture(scope="session")
def small_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One model, `small`, in one process."""
    repository = tmp_path_factory.mktemp("small")
    add_model(repository, "small", config(), plus_one())
    return repository

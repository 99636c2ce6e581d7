"""The page of the shared gateway."""

import pytest


@pytest.fixture(scope="session")
def page(gateway) -> str:
    """The page's address, "http://127.0.0.1:PORT/"."""
    return f"http://{gateway}/"

"""Every test here has the real database."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _database(database) -> None:
    """Unblock it, and empty it afterwards."""

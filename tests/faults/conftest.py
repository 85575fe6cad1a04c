"""A database of its own for each experiment, on the server of this test run."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.faults.ground import Ground, from_template


@pytest.fixture
def ground(django_db_setup) -> Iterator[Ground]:
    """Migrated and empty; its journals lie in a folder of their own."""
    with from_template(f"laboratory_{os.getpid()}") as made:
        yield made

"""Books to trade in, and a folder for journals."""

from __future__ import annotations

import pytest

from friren.accounts import open_account
from friren.persistence.facts import forget_natural_keys


@pytest.fixture(autouse=True)
def _nothing_remembered():
    forget_natural_keys()
    yield
    forget_natural_keys()


@pytest.fixture
def root(tmp_path):
    return tmp_path / "journal"


@pytest.fixture
def book():
    return open_account("momentum")

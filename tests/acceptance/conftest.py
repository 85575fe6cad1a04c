"""Servers that a test may stop, kill and restart. The ordinary database is there too, for who asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import servers


@pytest.fixture
def server() -> Iterator[servers.ThrowAwayServer]:
    """A running server of the test's own, empty, durable."""
    yield from servers.throw_away_server()


@pytest.fixture
def home() -> Iterator[Path]:
    """An empty FRIREN_HOME; what was started in it is stopped afterwards."""
    folder = servers.make_folder()
    yield folder
    servers.remove_folder(folder)

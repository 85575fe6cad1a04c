"""Migrations that do not exist yet, of an app that has no tables to lose: what an upgrade is tried on."""

from __future__ import annotations

import os
from typing import Final

__all__ = ["COMING", "KINDS", "choose"]

# Django's sessions, with one migration more.
COMING: Final = {"sessions": "tests.upgrades.migrations"}
KINDS: Final = ("good", "atomic failure", "failure in the middle", "red health")
_VARIABLE: Final = "FRIREN_TEST_MIGRATION"


def choose(kind: str) -> None:
    """Let the migration that comes be one of `KINDS`."""
    assert kind in KINDS
    os.environ[_VARIABLE] = kind


def chosen() -> str:
    """Return which one it is."""
    return os.environ.get(_VARIABLE, "good")

"""Friren's settings, with a migration that does not exist yet."""

from friren.settings import *  # noqa: F403
from tests.upgrades import COMING

MIGRATION_MODULES = COMING

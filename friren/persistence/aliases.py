"""Names of the connections that an engine keeps to a database, beside the one that Django's settings name."""

from __future__ import annotations

from typing import Final

__all__ = ["alias_of", "database_of"]

# No alias in Django's settings holds one.
_SEPARATOR: Final = ":"


def alias_of(using: str, purpose: str) -> str:
    """Return the alias of an engine's connection to the database `using`."""
    return f"{using}{_SEPARATOR}{purpose}"


def database_of(alias: str) -> str:
    """Return the alias in Django's settings of the database that `alias` leads to."""
    return alias.partition(_SEPARATOR)[0]

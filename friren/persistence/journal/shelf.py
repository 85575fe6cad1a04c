"""Finding the journals that lie on this machine."""

from __future__ import annotations

from pathlib import Path

from friren.persistence.journal.address import Address
from friren.persistence.journal.reader import JournalReader

__all__ = ["journals_of", "journals_under"]


def journals_of(root: Path, address: Address) -> list[JournalReader]:
    """Return the journals written for the database at `address`, whoever wrote them."""
    ...


def journals_under(root: Path) -> list[JournalReader]:
    """Return every journal below `root`."""
    ...

"""
Several facts of one call: all of them or none, in the journal as in the database.

A group is one record, with one number, one check sum and one verdict. It is stored when its parts are, a duplicate
when all of them are, and one part that is refused takes the group to the dead letters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from friren.persistence.digest import digest_of
from friren.persistence.facts import Fact

__all__ = ["GROUP", "group_of", "parts_of"]

GROUP: Final = "group"


def group_of(parts: Sequence[Fact]) -> Fact:
    """Return the record of facts that belong together; it bears the id of the first."""
    digest = digest_of({"parts": [part.digest for part in parts]})
    return Fact(kind=GROUP, id=parts[0].id, values={"parts": list(parts)}, known_digest=digest)


def parts_of(fact: Fact) -> list[Fact]:
    """Return the facts of a group; of any other fact itself."""
    return fact.values["parts"] if fact.kind == GROUP else [fact]

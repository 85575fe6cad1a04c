"""What differs between the rows of a sealed range and what was kept of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from uuid import UUID

import msgspec

from friren.operations.audit.layout import Layout
from friren.operations.audit.leaves import Leaf, changed_column, key_of
from friren.operations.audit.rows import Row

__all__ = ["Fault", "compare"]


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """
    Something that is not as it was sealed.

    Attributes:
        table, id: the row; a block of the chain is a row of the blocks' own table. "" where no row can be named.
        recorded_seq: its number among the facts, when it is one.
        what: differs, in words.
        column: that was changed, when one was.
    """

    table: str
    id: str = ""
    recorded_seq: int | None = None
    what: str
    column: str | None = None


def compare(
    leaves: Sequence[Leaf], rows: Sequence[Row], layout: Layout, *, cold: Collection[bytes] = ()
) -> Iterator[Fault]:
    """
    Yield what differs between the leaves of a block and the rows, read with their text, that stand in its range.

    Args:
        cold: ids of rows that went into files, which nobody misses.
    """
    found = {key_of(row): row for row in rows}
    sealed = {leaf.key for leaf in leaves}
    for leaf in leaves:
        row = found.get(leaf.key)
        if row is None and leaf.key in cold:
            continue
        if row is None:
            yield _fault(layout, leaf.key, leaf.seq, "is gone")
        elif row.seq != leaf.seq:
            yield _fault(
                layout, leaf.key, leaf.seq, f"has the number {row.seq}, and had {leaf.seq}", column="recorded_seq"
            )
        elif row.leaf[: len(leaf.half)] != leaf.half:
            column = changed_column(leaf, row, layout)
            what = f"{column} was changed" if column in layout.names else "several columns were changed"
            yield _fault(layout, leaf.key, leaf.seq, what, column=column if column in layout.names else None)
    for key, row in found.items():
        if key not in sealed:
            yield _fault(layout, key, row.seq, "was put among sealed rows")


def _fault(layout: Layout, key: bytes, seq: int, what: str, *, column: str | None = None) -> Fault:
    return Fault(table=layout.table, id=str(UUID(bytes=key)), recorded_seq=seq, what=what, column=column)

"""
Verification: are the facts that were sealed still there, as they were, in their order, and no others among them?

Every sealed row is read again and hashed; a block whose root differs is compared row by row with the leaves that
were kept of it.
"""

from __future__ import annotations

import bisect
import hashlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
from django.db import connections

from friren.operations.audit.blocks import Sealed
from friren.operations.audit.cold import cold_faults, cold_keys
from friren.operations.audit.compare import Fault, compare
from friren.operations.audit.digests import altered
from friren.operations.audit.export import Exported, audit_folder, export_folder
from friren.operations.audit.hashes import read_hashes
from friren.operations.audit.keys import KeyRing
from friren.operations.audit.layout import Layout, layouts, model_of
from friren.operations.audit.leaves import Leaf, unpack
from friren.operations.audit.merkle import tree_root
from friren.operations.audit.moves import moved_unseen
from friren.operations.audit.rows import one_snapshot, read_rows
from friren.operations.audit.stored import Expectation, StoredChain
from friren.operations.models import AuditBlock
from friren.persistence.archived import sources

__all__ = ["Expectation", "Verified", "verify"]

# Rows whose hashes are held together; some ten megabytes.
ROWS_AT_ONCE: Final = 50_000
# Of a bigint.
NUMBER_MAX: Final = 2**63 - 1
# Faults that are told; all are counted.
FAULTS_MAX: Final = 100


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """
    What was found.

    Attributes:
        blocks, rows: sealed, and looked at.
        exported: how many of the blocks the head outside the database knows.
        unsealed: facts that are newer than the newest seal.
        faults: how many there are.
        found: the first of them.
        first_bad: the first of all, by its number among the facts; None when nothing is wrong.
    """

    blocks: int
    rows: int
    exported: int
    unsealed: int
    faults: int
    found: tuple[Fault, ...]
    first_bad: Fault | None

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults


def verify(
    *,
    using: str = "default",
    folder: Path | None = None,
    public_keys: Sequence[Path] = (),
    expected: Sequence[Expectation] = (),
    digests: bool = False,
) -> Verified:
    """
    Compare the facts with their seals. Changes nothing, and holds up nobody.

    Args:
        folder: where the exported head lies; this installation's own unless given.
        public_keys: trusted instead of those that were used on this machine.
        expected: blocks that must be there; with one, an exported head is not asked for.
        digests: also work out the digest of every fact anew, those that are not sealed yet too: some ten times slower.

    Raises:
        ConfigurationError: a key or the exported head cannot be read.
        DatabaseError: the database is in trouble.
    """
    keys = KeyRing.of_files(public_keys) if public_keys else KeyRing.of_folder(audit_folder())
    # Before the snapshot: what is sealed meanwhile is in the database first, and missing from the file only.
    exported = Exported.read(folder or export_folder(using), keys)
    with one_snapshot(using):
        chain = StoredChain(using=using, exported=exported, keys=keys, expected=expected)
        rows = _Rows(using, exported, chain)
        told = itertools.chain(
            chain.faults, rows.faults(), moved_unseen(using), cold_faults(using), rows.altered() if digests else ()
        )
        count, found = _first_of(told)
        return Verified(
            blocks=len(chain.blocks),
            rows=rows.read,
            exported=len(exported.blocks),
            unsealed=rows.unsealed(),
            faults=count,
            found=tuple(found),
            first_bad=found[0] if found else None,
        )


def _first_of(faults: Iterable[Fault]) -> tuple[int, list[Fault]]:
    """Return how many there are, and the first of them: a symbol that was renamed is a fault of all its trades."""
    count, kept = 0, list[Fault]()
    for count, fault in enumerate(faults, start=1):  # noqa: B007 - the last one is wanted
        kept.append(fault)
        if len(kept) > 10 * FAULTS_MAX:
            kept = sorted(kept, key=_order)[:FAULTS_MAX]
    return count, sorted(kept, key=_order)[:FAULTS_MAX]


def _order(fault: Fault) -> tuple[bool, int]:
    """Facts by their number, then what is wrong with the chain."""
    return fault.recorded_seq is None, fault.recorded_seq or 0


class _Rows:
    """
    The rows that a chain seals.

    Attributes:
        read: how many were looked at.
    """

    def __init__(self, using: str, exported: Exported, chain: StoredChain) -> None:
        self._using, self._exported = using, exported
        self._by_table: dict[str, list[Sealed]] = {}
        for sealed in chain.blocks:
            self._by_table.setdefault(sealed.block.table, []).append(sealed)
        self._end = max((sealed.block.last_seq for sealed in chain.blocks), default=0)
        # A block whose layout was spoiled is read by that of another, or by the table's of today.
        self._layouts = {layout.digest.hex(): layout for layout in layouts()} | chain.layouts
        self._columns = _columns(using)
        self.read = 0

    def faults(self) -> Iterator[Fault]:
        """Yield what is not as it was sealed."""
        for blocks in self._by_table.values():
            for group in _groups(blocks):
                yield from self._against(group)
        if self._end:
            for layout in layouts():
                yield from self._between(layout.table)

    def altered(self) -> Iterator[Fault]:
        """Yield the facts, sealed or not, whose columns do not give their digest; archived ones are left out."""
        for layout in layouts():
            model = model_of(layout.table)
            if model is not None:
                yield from altered(model, 1, NUMBER_MAX, using=self._using)

    def unsealed(self) -> int:
        """Return how many facts are newer than the newest seal."""
        counts = [self._numbers(layout.table, "recorded_seq > %s", self._end, what="count(*)") for layout in layouts()]
        return sum(count for ((count, *_),) in counts)

    def _against(self, group: Sequence[Sealed]) -> Iterator[Fault]:
        first, last = group[0].block, group[-1].block
        layout = self._layouts.get(first.layout_digest)
        if layout is None or layout.table != first.table:
            yield Fault(table=first.table, recorded_seq=first.first_seq, what="cannot be read: its layout is unknown")
            return
        if gone := [name for name in _wanted(layout) if name not in self._columns]:
            what = f"cannot be read: {', '.join(map('.'.join, gone))} is gone"
            yield Fault(table=first.table, recorded_seq=first.first_seq, what=what)
            return
        numbers, hashes = read_hashes(layout, first.first_seq, last.last_seq, using=self._using)
        for sealed in group:
            block = sealed.block
            start = bisect.bisect_left(numbers, block.first_seq)
            leaves = hashes[start : bisect.bisect_right(numbers, block.last_seq)]
            self.read += len(leaves)
            if len(leaves) != block.row_count or tree_root(leaves).hex() != block.merkle_root:
                yield from self._named(sealed, layout)

    def _named(self, sealed: Sealed, layout: Layout) -> Iterator[Fault]:
        """Yield the rows that make a block differ."""
        block = sealed.block
        leaves = self._leaves(sealed)
        if leaves is None:
            what = f"one of the rows numbered {block.first_seq} to {block.last_seq}: its block's leaves are gone"
            yield Fault(table=block.table, recorded_seq=block.first_seq, what=what)
            return
        rows = read_rows(layout, block.first_seq, block.last_seq, using=self._using, keep_text=True)
        cold = cold_keys(block.first_seq, block.last_seq, self._using)
        yield from compare(leaves, rows, layout, cold=cold)

    def _leaves(self, sealed: Sealed) -> list[Leaf] | None:
        rows = AuditBlock.objects.using(self._using).filter(seq=sealed.block.seq)
        data = bytes(rows.values_list("leaves", flat=True).first() or b"")
        if hashlib.sha256(data).hexdigest() != sealed.block.leaves_digest:
            data = self._exported.leaves_of(sealed) or b""
        return unpack(data) if data else None

    def _between(self, table: str) -> Iterator[Fault]:
        """Yield rows that lie among sealed facts and are in no block."""
        blocks = self._by_table.get(table, ())
        last = blocks[-1].block.last_seq if blocks else 0
        where = "recorded_seq < 1 OR (recorded_seq > %s AND recorded_seq <= %s)"
        for key, seq in self._numbers(table, where, last, self._end, what="id, recorded_seq"):
            yield Fault(table=table, id=str(key), recorded_seq=seq, what="was put among sealed rows")

    def _numbers(self, table: str, where: str, *values: int, what: str) -> list[tuple[int, ...]]:
        found = " UNION ALL ".join(f"SELECT id, recorded_seq FROM {one}" for one in sources(table, self._using))
        with connections[self._using].cursor() as cursor:
            cursor.execute(f"SELECT {what} FROM ({found}) t WHERE {where}", values)
            found_rows: list[tuple[int, ...]] = cursor.fetchall()
            return found_rows


def _groups(blocks: Iterable[Sealed]) -> Iterator[list[Sealed]]:
    """Yield blocks of one table, in order, that are read together: of one layout, and not too many rows."""
    group: list[Sealed] = []
    rows = 0
    for sealed in blocks:
        block = sealed.block
        other = group and group[0].block.layout_digest != block.layout_digest
        if group and (other or rows + block.row_count > ROWS_AT_ONCE):
            yield group
            group, rows = [], 0
        group.append(sealed)
        rows += block.row_count
    if group:
        yield group


def _wanted(layout: Layout) -> Iterator[tuple[str, str]]:
    yield from ((layout.table, column) for column in layout.columns)
    for one in layout.references:
        yield from ((one.table, column) for column in (one.key, *one.columns))


def _columns(using: str) -> set[tuple[str, str]]:
    with connections[using].cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema()"
        )
        return set(cursor.fetchall())

"""The chain of blocks in the database, and how it grows by the facts that are new."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from django.db import connections
from django.utils import timezone

from friren.core.choices import AuditAction
from friren.core.models import AuditLog
from friren.operations.audit.blocks import GENESIS, Block, Sealed, moment_text
from friren.operations.audit.compare import Fault
from friren.operations.audit.digests import altered
from friren.operations.audit.keys import SigningKey
from friren.operations.audit.layout import Layout, layouts, model_of
from friren.operations.audit.leaves import leaf_of, pack
from friren.operations.audit.merkle import tree_root
from friren.operations.audit.rows import Row, read_rows
from friren.operations.models import AuditBlock
from friren.persistence.archived import sources

__all__ = ["BLOCK_ROWS_MAX", "SOURCE", "Chain"]

# What has to be read again to name the row that differs; its leaves take half a megabyte.
BLOCK_ROWS_MAX: Final = 10_000
# Numbers that are looked at together where there are many rows: some tens of megabytes of text.
NUMBERS_AT_ONCE: Final = 50_000
# What audit entries of sealing itself have for their source.
SOURCE: Final = "seal_audit"


class _Numbers(NamedTuple):
    rows: int
    lowest: int
    highest: int


class Chain:
    """The chain as one snapshot shows it, growing; used within `one_snapshot`."""

    def __init__(self, *, using: str, key: SigningKey) -> None:
        self._using, self._key = using, key
        last = AuditBlock.objects.using(using).defer("leaves").order_by("-seq").first()
        self._seq, self._previous = (0, GENESIS) if last is None else (last.seq, bytes(last.block_hash))

    def has_news(self, horizon: int) -> bool:
        """Return whether there is more to seal than what sealing itself has written down."""
        return any(self._is_new(layout, horizon) for layout in layouts())

    def extend(self, layout: Layout, horizon: int) -> Iterator[Block]:
        """Seal the rows of a table up to `horizon`; yield each block once it is stored."""
        first = self._sealed_up_to(layout.table) + 1
        for rows, last in _in_blocks(self._read(layout, first, horizon), horizon):
            yield self._add(layout, rows, first, last)
            first = last + 1

    def altered(self, horizon: int) -> Iterator[Fault]:
        """Yield the rows up to `horizon`, not sealed yet, that somebody changed since they were stored."""
        for layout in layouts():
            model = model_of(layout.table)
            if model is not None:
                yield from altered(model, self._sealed_up_to(layout.table) + 1, horizon, using=self._using)

    def _is_new(self, layout: Layout, horizon: int) -> bool:
        model: Any = model_of(layout.table)
        first = self._sealed_up_to(layout.table) + 1
        rows = model._default_manager.using(self._using).filter(recorded_seq__range=(first, horizon))
        if model is AuditLog:
            rows = rows.exclude(source=SOURCE, action=AuditAction.CREATE)
        return bool(rows.exists())

    def _sealed_up_to(self, table: str) -> int:
        found = AuditBlock.objects.using(self._using).filter(table_name=table).order_by("-last_seq")
        return found.values_list("last_seq", flat=True).first() or 0

    def _read(self, layout: Layout, first: int, last: int) -> Iterator[list[Row]]:
        numbers = _numbers(layout, first, last, self._using)
        if not numbers.rows:
            return
        many = numbers.rows > NUMBERS_AT_ONCE
        stride = NUMBERS_AT_ONCE if many else numbers.highest - numbers.lowest + 1
        for start in range(numbers.lowest, numbers.highest + 1, stride):
            end = min(start + stride - 1, numbers.highest)
            yield read_rows(layout, start, end, using=self._using, keep_text=True)

    def _add(self, layout: Layout, rows: list[Row], first: int, last: int) -> Block:
        leaves = pack(leaf_of(row, layout) for row in rows)
        block = Block(
            seq=self._seq + 1,
            sealed_at=moment_text(timezone.now()),
            table=layout.table,
            first_seq=first,
            last_seq=last,
            row_count=len(rows),
            merkle_root=tree_root([row.leaf for row in rows]).hex(),
            leaves_digest=hashlib.sha256(leaves).hexdigest(),
            layout_digest=layout.digest.hex(),
            previous_hash=self._previous.hex(),
            key_id=self._key.id,
        )
        sealed = Sealed(block=block, hash=block.hash.hex(), signature=self._key.sign(block.hash).hex())
        sealed.row(layout, leaves).save(using=self._using, force_insert=True)
        self._seq, self._previous = block.seq, block.hash
        return block


def _in_blocks(batches: Iterable[list[Row]], horizon: int) -> Iterator[tuple[list[Row], int]]:
    """Yield the rows of each block and the last number it covers; the last block covers all up to `horizon`."""
    waiting: list[Row] = []
    for batch in batches:
        waiting += batch
        # Held back: the last rows may be the run's last, whose block reaches further than they do.
        while len(waiting) > BLOCK_ROWS_MAX:
            rows, waiting = waiting[:BLOCK_ROWS_MAX], waiting[BLOCK_ROWS_MAX:]
            while waiting and waiting[0].seq == rows[-1].seq:
                rows.append(waiting.pop(0))
            if not waiting:
                waiting, rows = rows, []
                break
            yield rows, rows[-1].seq
    if waiting:
        yield waiting, horizon


def _numbers(layout: Layout, first: int, last: int, using: str) -> _Numbers:
    tables = " UNION ALL ".join(f"SELECT recorded_seq FROM {source}" for source in sources(layout.table, using))
    with connections[using].cursor() as cursor:
        cursor.execute(
            f"SELECT count(*), coalesce(min(recorded_seq), 0), coalesce(max(recorded_seq), 0) FROM ({tables}) t "
            "WHERE recorded_seq BETWEEN %s AND %s",
            [first, last],
        )
        return _Numbers(*cursor.fetchone())

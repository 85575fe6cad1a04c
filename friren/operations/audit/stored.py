"""The chain that counts: what was exported, and what the database holds signed beyond that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from django.db.models import BinaryField, F, Func

from friren.operations.audit.blocks import GENESIS, Sealed, layout_of_row
from friren.operations.audit.compare import Fault
from friren.operations.audit.export import Exported
from friren.operations.audit.keys import KeyRing
from friren.operations.audit.layout import Layout
from friren.operations.models import AuditBlock

__all__ = ["BLOCKS", "Expectation", "StoredChain"]

BLOCKS: str = AuditBlock._meta.db_table


class Expectation(msgspec.Struct, frozen=True):
    """A block that must be there: number, and hash in hexadecimal, as a backup's manifest or a person noted them."""

    seq: int
    hash: str


class StoredChain:
    """
    The chain of one database, read within `one_snapshot`.

    Attributes:
        blocks: those that count, in order.
        layouts: by digest, those that blocks in the database name.
        faults: what is wrong with the chain itself.
    """

    def __init__(self, *, using: str, exported: Exported, keys: KeyRing, expected: Sequence[Expectation]) -> None:
        self.layouts: dict[str, Layout] = {}
        self.faults = [Fault(table="", what=told) for told in exported.faults]
        self._exported, self._keys = exported, keys
        counting = dict(exported.blocks)
        present = set()
        for row in _rows(using):
            present.add(row.seq)
            sealed = self._judged(row)
            if sealed is not None:
                counting.setdefault(row.seq, sealed)
        self.faults += [_of(seq, "is gone") for seq in sorted(exported.blocks.keys() - present)]
        self.blocks = [counting[seq] for seq in sorted(counting)]
        self.faults += _broken_links(self.blocks)
        self.faults += _unexpected(counting, expected)
        if self.blocks and not exported.blocks and not expected:
            self.faults.append(
                Fault(table="", what=f"no exported head in {exported.folder}: what was cut off cannot be seen")
            )

    def _judged(self, row: Any) -> Sealed | None:
        """Return what a row of the table says when it can count."""
        known = self._exported.blocks.get(row.seq)
        try:
            sealed = Sealed.of_row(row)
            layout = layout_of_row(row)
        except msgspec.ValidationError as exc:
            self.faults.append(_of(row.seq, f"its layout was changed: {exc}", column="layout"))
            return None
        self.layouts[layout.digest.hex()] = layout
        if bytes(row.leaves_sha256).hex() != sealed.block.leaves_digest:
            self.faults.append(_of(row.seq, "its leaves are not those that were sealed", column="leaves"))
        if known is not None:
            if known != sealed:
                differing = known.block.differs_in(sealed.block) or ["hash or signature"]
                self.faults.append(_of(row.seq, f"is not as it was exported: {', '.join(differing)}"))
            return None
        if sealed.block.hash.hex() != sealed.hash:
            self.faults.append(_of(row.seq, "does not have the hash it claims"))
        elif not self._keys.holds(key_id=sealed.block.key_id, signature=sealed.signature, content=sealed.block.hash):
            self.faults.append(_of(row.seq, "is signed by no key that is trusted"))
        else:
            return sealed
        return None


def _rows(using: str) -> Iterator[Any]:
    digest: Any = Func(F("leaves"), function="sha256", output_field=BinaryField())
    rows = AuditBlock.objects.using(using).annotate(leaves_sha256=digest).defer("leaves").order_by("seq")
    return rows.iterator(chunk_size=1_000)


def _broken_links(blocks: Sequence[Sealed]) -> Iterator[Fault]:
    previous, reached, place = GENESIS.hex(), dict[str, int](), 0
    for sealed in blocks:
        block, place = sealed.block, place + 1
        if block.seq != place:
            yield _of(place, "is gone")
            place = block.seq
        elif block.previous_hash != previous:
            yield _of(block.seq, "does not follow the block before it")
        if block.first_seq != reached.get(block.table, 0) + 1:
            yield _of(block.seq, f"does not begin where the block of {block.table} before it ended")
        previous, reached[block.table] = sealed.hash, block.last_seq


def _unexpected(counting: dict[int, Sealed], expected: Sequence[Expectation]) -> Iterator[Fault]:
    for one in expected:
        found = counting.get(one.seq)
        if found is None:
            yield _of(one.seq, "is gone: it was expected")
        elif found.hash != one.hash.lower():
            yield _of(one.seq, "is another one than was expected")


def _of(seq: int, what: str, *, column: str | None = None) -> Fault:
    return Fault(table=BLOCKS, id=str(seq), what=what, column=column)

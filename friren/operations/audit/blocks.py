"""A block: what its columns say, hashed, and the hash signed."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any, Final, Self

import msgspec

from friren.operations.audit.layout import Layout
from friren.operations.models import AuditBlock

__all__ = ["GENESIS", "Block", "Sealed", "layout_of_row", "moment_text"]

# What the first block has for the hash of the one before it.
GENESIS: Final = bytes(32)
# Hashed before a block, so that nothing else that is signed with the key can pass for one.
_PURPOSE: Final = b"friren audit block 1\n"


class Block(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    What is signed of a block.

    Attributes:
        seq: 1, 2, 3 … over all tables.
        sealed_at: ISO 8601 in UTC, by the clock of whoever sealed.
        table: whose rows it seals: those with `recorded_seq` from `first_seq` to `last_seq`.
        row_count: how many those are; numbers may be missing, rows may not.
        merkle_root: of the leaf hashes of the rows in the order of `recorded_seq`.
        leaves_digest: SHA-256 of the packed leaves.
        layout_digest: SHA-256 of the layout: which columns a leaf hash covers.
        previous_hash: of the block before; zeros in the first.
        key_id: SHA-256 of the public key that it is signed with. All of these in hexadecimal.
    """

    seq: int
    sealed_at: str
    table: str
    first_seq: int
    last_seq: int
    row_count: int
    merkle_root: str
    leaves_digest: str
    layout_digest: str
    previous_hash: str
    key_id: str

    @property
    def hash(self) -> bytes:
        """SHA-256 over the purpose and the JSON of the block, its fields in the order above."""
        return hashlib.sha256(_PURPOSE + msgspec.json.encode(self)).digest()

    def differs_in(self, other: Block) -> list[str]:
        """Return the names of the fields that two blocks do not have in common."""
        return [name for name in self.__struct_fields__ if getattr(self, name) != getattr(other, name)]


class Sealed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A block, the hash it claims to have, and the signature of that hash; the last two in hexadecimal."""

    block: Block
    hash: str
    signature: str

    @classmethod
    def of_row(cls, row: AuditBlock) -> Self:
        """
        Return what a row of the table says, right or wrong.

        Raises:
            msgspec.ValidationError: its layout is none.
        """
        block = Block(
            seq=row.seq,
            sealed_at=moment_text(row.sealed_at),
            table=row.table_name,
            first_seq=row.first_seq,
            last_seq=row.last_seq,
            row_count=row.row_count,
            merkle_root=_hex(row.merkle_root),
            leaves_digest=_hex(row.leaves_digest),
            layout_digest=layout_of_row(row).digest.hex(),
            previous_hash=_hex(row.previous_hash),
            key_id=row.key_id,
        )
        return cls(block=block, hash=_hex(row.block_hash), signature=_hex(row.signature))

    def row(self, layout: Layout, leaves: bytes) -> AuditBlock:
        """Return the row that is stored of a block."""
        block = self.block
        return AuditBlock(
            seq=block.seq,
            sealed_at=dt.datetime.fromisoformat(block.sealed_at),
            table_name=block.table,
            first_seq=block.first_seq,
            last_seq=block.last_seq,
            row_count=block.row_count,
            merkle_root=bytes.fromhex(block.merkle_root),
            leaves_digest=bytes.fromhex(block.leaves_digest),
            layout=msgspec.to_builtins(layout),
            previous_hash=bytes.fromhex(block.previous_hash),
            block_hash=bytes.fromhex(self.hash),
            key_id=block.key_id,
            signature=bytes.fromhex(self.signature),
            leaves=leaves,
        )


def layout_of_row(row: AuditBlock) -> Layout:
    """Return the layout of a block. Raises msgspec.ValidationError."""
    return msgspec.convert(row.layout, Layout)


def moment_text(moment: dt.datetime) -> str:
    """Return a time as blocks write it down."""
    return moment.astimezone(dt.UTC).isoformat(timespec="microseconds")


def _hex(value: Any) -> str:
    return bytes(value).hex()

"""
What is kept of every sealed row besides the root of its block: enough to say which row was changed, and where.

48 bytes a row: `recorded_seq`, id, the first half of its leaf hash, and two sums over the checksums of its columns.
When one column changes, the sums' differences are d and (place + 1)·d modulo a prime, which gives the place away.
"""

from __future__ import annotations

import itertools
import operator
import struct
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple
from zlib import crc32

from friren.operations.audit.layout import Layout
from friren.operations.audit.rows import Row

__all__ = ["LEAF_BYTES", "Leaf", "changed_column", "key_of", "leaf_of", "pack", "unpack"]

_FORM: Final = struct.Struct(">q16s16sII")
LEAF_BYTES: Final = _FORM.size
# The largest prime below 2³².
_PRIME: Final = 4_294_967_291
# Left out of the sums: whoever changes a column and covers it up changes the digest too.
DIGEST: Final = "digest"


class Leaf(NamedTuple):
    """
    What is kept of a row.

    Attributes:
        key: its id, 16 bytes.
        half: the first 16 bytes of its leaf hash.
        sum, weighted: of the checksums of its columns.
    """

    seq: int
    key: bytes
    half: bytes
    sum: int
    weighted: int


def leaf_of(row: Row, layout: Layout) -> Leaf:
    """Return what is kept of a row that was read with its text."""
    total, weighted = _sums(row.text, layout)
    return Leaf(row.seq, key_of(row), row.leaf[:16], total, weighted)


def key_of(row: Row) -> bytes:
    """Return the id of a row as 16 bytes."""
    return bytes.fromhex(row.id.decode().replace("-", ""))


def pack(leaves: Iterable[Leaf]) -> bytes:
    """Return leaves as bytes, `LEAF_BYTES` each."""
    return b"".join(itertools.starmap(_FORM.pack, leaves))


def unpack(data: bytes) -> list[Leaf]:
    """Return the leaves that `pack` wrote down."""
    return list(itertools.starmap(Leaf, _FORM.iter_unpack(data)))


def changed_column(leaf: Leaf, row: Row, layout: Layout) -> str:
    """Return which column of a row is not what it was when `leaf` was made, as far as the sums tell."""
    total, weighted = _sums(row.text, layout)
    off, off_weighted = (total - leaf.sum) % _PRIME, (weighted - leaf.weighted) % _PRIME
    if not off and not off_weighted:
        return DIGEST
    place = off_weighted * pow(off, -1, _PRIME) % _PRIME - 1 if off else -1
    names = _summed(layout)
    return names[place] if 0 <= place < len(names) else "several columns"


def _sums(text: bytes, layout: Layout) -> tuple[int, int]:
    values = text.rstrip(b"\n").split(b"\t")
    del values[layout.columns.index(DIGEST)]
    checks = list(map(crc32, values))
    return sum(checks) % _PRIME, sum(map(operator.mul, checks, itertools.count(1))) % _PRIME


def _summed(layout: Layout) -> Sequence[str]:
    return [name for name in layout.names if name != DIGEST]

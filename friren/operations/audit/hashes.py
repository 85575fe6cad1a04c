"""The leaf hashes of sealed rows alone, for all those that are as they were: what verification spends its time on."""

from __future__ import annotations

import itertools
import operator
from hashlib import sha256
from typing import Final

from friren.operations.audit.layout import Layout
from friren.operations.audit.rows import copied, read_rows

__all__ = ["read_hashes"]

# The number comes first in a line: a bigint and its sign, and the tabulator behind it.
_NUMBER_BYTES: Final = 21
# What stands before the content of every leaf, hashed already (see `merkle.leaf_hash`).
_LEAF: Final = sha256(b"\x00")


def read_hashes(layout: Layout, first: int, last: int, *, using: str) -> tuple[list[int], list[bytes]]:
    """
    Return the numbers of the rows `first` to `last`, and their leaf hashes, in the order of `read_rows`.

    Within `one_snapshot`. Two lists and no object for a row: the garbage collector would look at these again and
    again, and take longer than the hashing.
    """
    numbers: list[int] = []
    hashes: list[bytes] = []
    with copied(layout, first, last, using=using) as lines:
        for line in lines:
            leaf = _LEAF.copy()
            leaf.update(line)
            hashes.append(leaf.digest())
            numbers.append(int(bytes(line[:_NUMBER_BYTES]).partition(b"\t")[0]))
    if all(map(operator.lt, numbers, itertools.islice(numbers, 1, None))):
        return numbers, hashes
    if len(set(numbers)) < len(numbers):
        # No two facts have one number; where somebody has made it so, the id decides, as when the block was made.
        rows = read_rows(layout, first, last, using=using)
        return [row.seq for row in rows], [row.leaf for row in rows]
    order = sorted(range(len(numbers)), key=numbers.__getitem__)
    return [numbers[place] for place in order], [hashes[place] for place in order]

"""Hash trees after RFC 6962 §2.1: leaves and inner nodes are hashed apart, so that none can pass for the other."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

__all__ = ["leaf_hash", "tree_root"]


def leaf_hash(content: bytes) -> bytes:
    """Return the 32 bytes of a leaf."""
    return sha256(b"\x00" + content).digest()


def tree_root(leaves: Sequence[bytes]) -> bytes:
    """
    Return the 32 bytes that stand for all `leaves`, which are hashes, in their order.

    Pairs from the left, a node without a partner goes up as it is: the tree that RFC 6962 defines by its largest
    left half.
    """
    if not leaves:
        return sha256(b"").digest()
    level = leaves
    while len(level) > 1:
        above = [sha256(b"\x01" + level[at] + level[at + 1]).digest() for at in range(0, len(level) - 1, 2)]
        if len(level) % 2:
            above.append(level[-1])
        level = above
    return level[0]

"""The hash tree is that of RFC 6962, and the sums give a changed column away."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from friren.operations.audit.layout import Layout, Reference
from friren.operations.audit.leaves import LEAF_BYTES, changed_column, leaf_of, pack, unpack
from friren.operations.audit.merkle import leaf_hash, tree_root
from friren.operations.audit.rows import Row

LAYOUT = Layout(
    "trade",
    ("recorded_seq", "id", "digest", "price", "quantity"),
    (Reference("symbol_id", "symbol", "id", ("ticker",)),),
)
KEY = "018f0000-0000-7000-8000-000000000001"


def by_definition(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962 §2.1, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaf_hash(leaves[0])
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01" + by_definition(leaves[:half]) + by_definition(leaves[half:])).digest()


@pytest.mark.parametrize("size", [*range(20), 63, 64, 65, 1000])
def test_the_root_is_that_of_the_standard(size) -> None:
    contents = [str(number).encode() for number in range(size)]

    assert tree_root([leaf_hash(content) for content in contents]) == by_definition(contents)


def test_the_root_is_the_published_one() -> None:
    # The test vectors of Certificate Transparency: 8 leaves.
    contents = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]

    root = tree_root([leaf_hash(bytes.fromhex(content)) for content in contents])

    assert root.hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


def row(values: list[bytes]) -> Row:
    text = b"\t".join([b"7", KEY.encode(), *values]) + b"\n"
    return Row(7, KEY.encode(), leaf_hash(text), text)


texts = st.binary(max_size=20).filter(lambda text: b"\t" not in text and b"\n" not in text)


@given(st.lists(texts, min_size=4, max_size=4), st.integers(0, 3), texts)
def test_one_changed_column_is_named(values, place, other) -> None:
    changed = [*values]
    changed[place] = other
    if changed == values:
        return
    leaf = leaf_of(row(values), LAYOUT)

    assert changed_column(leaf, row(changed), LAYOUT) == LAYOUT.names[2:][place]


def test_several_changed_columns_are_told_as_such() -> None:
    leaf = leaf_of(row([b"d", b"1", b"2", b"AAPL"]), LAYOUT)

    assert changed_column(leaf, row([b"d", b"2", b"3", b"AAPL"]), LAYOUT) == "several columns"


def test_a_digest_that_was_changed_to_cover_a_column_up_hides_nothing() -> None:
    leaf = leaf_of(row([b"d", b"1", b"2", b"AAPL"]), LAYOUT)

    assert changed_column(leaf, row([b"e", b"1", b"2", b"MSFT"]), LAYOUT) == "symbol_id.ticker"


def test_leaves_come_back_as_they_were_packed() -> None:
    leaves = [leaf_of(row([b"d", str(number).encode(), b"2", b"AAPL"]), LAYOUT) for number in range(3)]

    data = pack(leaves)

    assert len(data) == 3 * LEAF_BYTES
    assert unpack(data) == leaves

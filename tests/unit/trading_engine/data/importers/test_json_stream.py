"""Documents that are read piece by piece give what json.loads gives, wherever the pieces end."""

from __future__ import annotations

import io
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_engine.data.importers import json_stream
from trading_engine.data.importers.json_stream import BrokenJsonError, Wish, asked_for, path_text, walk

TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=4), children, max_size=4),
    max_leaves=20,
)


@pytest.fixture
def small_pieces(monkeypatch):
    monkeypatch.setattr(json_stream, "CHUNK_CHARACTERS", 7)
    monkeypatch.setattr(json_stream, "ITEM_CHARACTERS_MAX", 200)


def taken(text, *patterns):
    return [(item.line, path_text(item.path), item.value) for item in walk(io.StringIO(text), asked_for(*patterns))]


@given(tree=TREES, indent=st.sampled_from([None, 1]), piece=st.integers(1, 9))
def test_the_whole_and_its_parts_are_what_they_were_written_as(tree, indent, piece):
    text = json.dumps({"a": [tree, 1], "b": tree}, indent=indent)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "CHUNK_CHARACTERS", piece)
        assert [value for _, _, value in taken(text, ())] == [{"a": [tree, 1], "b": tree}]
        assert [(path, value) for _, path, value in taken(text, ("a", "*"), ("b",))] == [
            ("a[0]", tree), ("a[1]", 1), ("b", tree),
        ]  # fmt: skip


def test_numbers_are_the_decimals_of_their_text(small_pieces):
    text = '{"trades": [{"price": 0.1000000000000000055511151231257827, "fee": 1e-8}, 12345678901234567890]}'

    (_, _, first), (_, _, second) = taken(text, ("trades", "*"))

    assert str(first["price"]) == "0.1000000000000000055511151231257827"
    assert first["fee"] == Decimal("1e-8")
    assert second == 12345678901234567890


def test_every_item_has_its_line(small_pieces):
    text = '{\n "rows": [\n  {"a": 1},\n\n  {"a":\n 2}\n ], "rest": "x"\n}'

    assert [(line, path) for line, path, _ in taken(text, ("rows", "*"))] == [(3, "rows[0]"), (5, "rows[1]")]


def test_what_is_skipped_may_be_longer_than_memory(small_pieces):
    text = json.dumps({"long": [{"n": number} for number in range(500)], "rows": [{"a": 1}]})

    assert [value for _, _, value in taken(text, ("rows", "*"))] == [{"a": 1}]


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ('{"rows": [\n{"a": 1},\n{"a": 2,, }]}', 3, "property name"),
        ('{"rows": [\n{"a": 1},\n{"a": ', 3, "Expecting value"),
        ('{"rows": [{"a": 1} {"a": 2}]}', 1, ", is wanted"),
        ('{"rows": [{"a": 1}]} tail', 1, "after the end"),
        ("", 1, "Expecting value"),
        ('{"rows": ["' + "x" * 1000, 1, "Unterminated"),
    ],
)
def test_where_it_breaks_off_is_named_and_what_stood_before_is_given(small_pieces, text, line, why):
    found = []
    with pytest.raises(BrokenJsonError) as caught:
        found.extend(walk(io.StringIO(text), asked_for(("rows", "*"))))

    assert (caught.value.line, why in str(caught.value)) == (line, True), str(caught.value)
    assert [item.value for item in found] == [{"a": 1}] * ('{"a": 1}' in text)


def test_brackets_without_end_are_refused_and_not_recursed_into(small_pieces):
    with pytest.raises(BrokenJsonError):
        list(walk(io.StringIO("[" * 100_000), lambda _path: Wish.ENTER))

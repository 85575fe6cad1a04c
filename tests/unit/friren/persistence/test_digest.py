"""Equal facts have equal digests, however they were written down; others have others."""

from __future__ import annotations

import copy
import datetime as dt
import json
import random
import zoneinfo
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from friren.persistence.checks import check_json
from friren.persistence.digest import DIGEST_SIZE, canonical, digest_of
from tests.fact_strategies import json_objects

NOON = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
KEY = UUID("8e92423d-994e-52ac-aaed-ceed5a08ca16")


def shuffled(tree: object, seeded: random.Random) -> object:
    """The same tree with the keys of every mapping in another order."""
    if isinstance(tree, dict):
        items = list(tree.items())
        seeded.shuffle(items)
        return {key: shuffled(value, seeded) for key, value in items}
    return [shuffled(value, seeded) for value in tree] if isinstance(tree, list) else tree


def test_is_fixed_for_ever() -> None:
    # Stored with every row there is: if this changes, every row looks as if it had been tampered with.
    values = {
        "price": Decimal("187.320"), "executed_at": NOON, "order": KEY, "symbol": ["AAPL", ""], "z_score": 1.5,
        "shap_values": {"rsi": 0.1, "adx": 2.0}, "as_of_date": NOON.date(), "executed": True, "none": None,
        "facts_digest": b"\x00\xff", "seed": 7, "question": "Zürich ×",
    }  # fmt: skip

    assert canonical(values) == (
        b'{"as_of_date":"2026-01-05","executed":true,"executed_at":1767614400000000,"facts_digest":"00ff",'
        b'"none":null,"order":"8e92423d-994e-52ac-aaed-ceed5a08ca16","price":"187.32",'
        b'"question":"Z\xc3\xbcrich \xc3\x97","seed":7,"shap_values":{"adx":2,"rsi":0.1},'
        b'"symbol":["AAPL",""],"z_score":1.5}'
    )
    assert len(digest_of(values)) == DIGEST_SIZE


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Decimal("1.0"), Decimal("1.00")),
        (Decimal("1E+2"), Decimal(100)),
        (Decimal("-0"), Decimal(0)),
        (NOON, NOON.astimezone(zoneinfo.ZoneInfo("America/New_York"))),
        (1.0, 1),
        (-0.0, 0),
        (1e22, 10**22),
        (1e23, 10**23),
        (12345678901234567890.0, 12345678901234567000),
        (1e300, 10**300),
        ([1.0, {"a": 2.0}], [1, {"a": 2}]),
    ],
    ids=str,
)
def test_does_not_tell_spellings_apart(one, other) -> None:
    assert digest_of({"x": one}) == digest_of({"x": other})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Decimal("1.0"), Decimal("1.000000000000000001")),
        (NOON, NOON + dt.timedelta(microseconds=1)),
        (NOON, NOON.replace(tzinfo=zoneinfo.ZoneInfo("America/New_York"))),
        (1, True),
        (0, False),
        (1, "1"),
        (None, ""),
        ([1, 2], [2, 1]),
        ({"a": 1}, {"b": 1}),
        ({"a": 1}, {"a": 1, "b": None}),
        (0.1, 0.1 + 2**-56),
        (2**64, 2**64 + 1),
        (-(2**63) - 1, -(2**63)),
    ],
    ids=str,
)
def test_tells_values_apart(one, other) -> None:
    assert digest_of({"x": one}) != digest_of({"x": other})


@given(json_objects.map(lambda tree: check_json("x", tree)), st.randoms(use_true_random=False))
def test_does_not_depend_on_the_order_of_keys(tree, seeded) -> None:
    assert digest_of(shuffled(tree, seeded)) == digest_of(tree)


@given(json_objects.map(lambda tree: check_json("x", tree)))
def test_survives_json(tree) -> None:
    assert digest_of(json.loads(json.dumps(tree))) == digest_of(tree)


@given(json_objects.map(lambda tree: check_json("x", tree)))
def test_changes_nothing(tree) -> None:
    before = copy.deepcopy(tree)
    canonical(tree)

    assert repr(tree) == repr(before)


def test_knows_what_it_cannot_write() -> None:
    with pytest.raises(TypeError, match="set has no canonical form"):
        canonical({"x": {1, 2}})

"""Facts as bytes: what is written is read back, equal in values and digest, by this version and the next."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings

from friren.errors import RejectedRecordError
from friren.persistence import codec
from friren.persistence.codec import (
    RejectedFill,
    UnreadableRecordError,
    decode,
    encode,
    encode_rejected,
    register_upcaster,
)
from friren.persistence.facts import Fact, fact_kinds
from tests.unit.friren.persistence.fact_values import facts

KEY = UUID("018f0000-0000-7000-8000-000000000001")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(facts())
def test_every_fact_is_read_back_with_equal_values_and_digest(fact) -> None:
    read = decode(encode(fact))
    assert read == fact
    assert read.digest == fact.digest
    assert {name: type(value) for name, value in read.values.items()} == {
        name: type(value) for name, value in fact.values.items()
    }


def test_the_property_covers_the_kinds_that_the_journal_carries() -> None:
    assert {"trade", "order", "order_status_event", "signal", "regime_history", "cash_movement"} <= set(fact_kinds())


def test_a_record_is_readable_json_with_its_version() -> None:
    fact = Fact(
        kind="trade",
        id=KEY,
        values={"quantity": Decimal("1.50"), "executed_at": dt.datetime(2026, 1, 2, tzinfo=dt.UTC)},
    )
    assert json.loads(encode(fact)) == {
        "v": 1,
        "kind": "trade",
        "id": str(KEY),
        "values": {"quantity": "1.50", "executed_at": "2026-01-02T00:00:00Z"},
    }


@pytest.fixture
def newer_trade(monkeypatch):
    """A Friren whose trades have gone through one change of their fields."""
    monkeypatch.setattr(codec, "_upcasters", {})
    monkeypatch.setattr(codec, "_versions", {})
    register_upcaster(
        "trade",
        1,
        lambda values: {**{k: v for k, v in values.items() if k != "strategy"}, "strategy_used": values["strategy"]},
    )


def test_a_record_of_the_version_before_is_brought_up_to_date(newer_trade) -> None:
    old = json.dumps({"v": 1, "kind": "trade", "id": str(KEY), "values": {"strategy": "sma", "quantity": "2"}}).encode()
    assert decode(old) == Fact(kind="trade", id=KEY, values={"strategy_used": "sma", "quantity": Decimal(2)})


def test_what_is_written_now_bears_the_newest_version(newer_trade) -> None:
    assert json.loads(encode(Fact(kind="trade", id=KEY, values={})))["v"] == 2


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"no json",
        b"[]",
        b'{"v":1,"kind":"trade","id":"x","values":{}}',
        b'{"v":1,"kind":"no_such_kind","id":"018f0000-0000-7000-8000-000000000001","values":{}}',
        b'{"v":2,"kind":"trade","id":"018f0000-0000-7000-8000-000000000001","values":{}}',
        b'{"v":0,"kind":"trade","id":"018f0000-0000-7000-8000-000000000001","values":{}}',
        b'{"v":1,"kind":"trade","id":"018f0000-0000-7000-8000-000000000001","values":{"quantity":"many"}}',
        b'{"v":1,"kind":"trade","id":"018f0000-0000-7000-8000-000000000001","values":{"unheard_of":1}}',
        b'{"v":1,"kind":"trade","id":"018f0000-0000-7000-8000-000000000001","values":{"reasoning":"\xff"}}',
    ],
)
def test_what_cannot_be_read_says_so_and_nothing_else(payload) -> None:
    with pytest.raises(UnreadableRecordError):
        decode(payload)


def test_a_refused_fill_is_kept_whatever_its_values_were() -> None:
    told = {
        "price": float("nan"), "quantity": Decimal("NaN"), "reasoning": "a\x00b\ud800", "when": dt.date(2026, 1, 2),
        "thing": object, "shap": {"a": float("inf")}, 5: "five", (1, 2): "a key that JSON does not have",
    }  # fmt: skip
    payload = encode_rejected("trade", told, RejectedRecordError("price", "nan", "must be finite"))
    with pytest.raises(RejectedFill) as caught:
        decode(payload)
    kept = caught.value
    assert (kept.kind, kept.error_class) == ("trade", "RejectedRecordError")
    assert "must be finite" in kept.error
    assert kept.said["quantity"] == "NaN"
    assert kept.said["price"] == "nan"

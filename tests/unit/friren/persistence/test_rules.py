"""Rules of a table with SQL's three-valued logic; PostgreSQL's own verdict is asked in the integration tests."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db.models import F, Q

from friren.errors import RejectedRecordError
from friren.persistence.rules import check_rules, holds
from trading_engine.models import Trade

EQUITY = {
    "symbol": ["AAPL", ""], "market": None, "instrument_type": "EQUITY", "action": "buy", "price": Decimal(1),
    "quantity": Decimal(1), "amount": None, "corrects": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("condition", "values", "verdict"),
    [
        (Q(a=1), {"a": 1}, True),
        (Q(a=1), {"a": 2}, False),
        (Q(a=1), {"a": None}, None),
        (Q(a=1), {}, None),
        (~Q(a=1), {"a": 1}, False),
        (~Q(a=1), {"a": None}, None),
        (Q(a__isnull=True), {"a": None}, True),
        (Q(a__isnull=False), {"a": None}, False),
        (Q(a__in=("x", "y")), {"a": "y"}, True),
        (Q(a__in=("x", "y")), {"a": None}, None),
        (Q(a__gt=0), {"a": 0}, False),
        (Q(a__gte=0), {"a": 0}, True),
        (Q(a__lt=0), {"a": 0}, False),
        (Q(a__lte=0), {"a": 0}, True),
        (Q(a__gte=F("b")), {"a": 2, "b": 2}, True),
        (Q(a__gte=F("b")), {"a": 1, "b": 2}, False),
        (Q(a__gte=F("b")), {"a": 1, "b": None}, None),
        # AND: false wins over unknown, unknown over true.
        (Q(a=1) & Q(b=1), {"a": None, "b": 2}, False),
        (Q(a=1) & Q(b=1), {"a": None, "b": 1}, None),
        (Q(a=1, b=1), {"a": 1, "b": 1}, True),
        # OR: true wins over unknown, unknown over false.
        (Q(a=1) | Q(b=1), {"a": None, "b": 1}, True),
        (Q(a=1) | Q(b=1), {"a": None, "b": 2}, None),
        (Q(a=1) | Q(b=1), {"a": 2, "b": 2}, False),
        (~(Q(a=1) & Q(b=1)), {"a": None, "b": 2}, True),
        (~(Q(a=1) | Q(b=1)), {"a": None, "b": 1}, False),
        (~(Q(a=1) | Q(b=1)), {"a": None, "b": 2}, None),
    ],
    ids=str,
)
def test_verdict(condition, values, verdict) -> None:
    assert holds(condition, values) is verdict


@pytest.mark.parametrize("condition", [True, F("a"), "a > 0"])
def test_what_is_no_q_is_a_mistake_of_the_program(condition) -> None:
    with pytest.raises(TypeError, match="only Q conditions"):
        holds(condition, {})


def test_what_breaks_no_rule_passes() -> None:
    check_rules(Trade, EQUITY)


@pytest.mark.parametrize(
    ("given", "field", "rule"),
    [
        ({"symbol": None}, "symbol", "give either a symbol or a market"),
        ({"market": "fed-june"}, "symbol", "give either a symbol or a market"),
        ({"action": "buy_yes"}, "action", "actions on yes/no shares"),
        ({"amount": Decimal(0)}, "amount", "must be more than 0"),
        ({"id": 7, "corrects": 7}, "corrects", "a trade cannot correct itself"),
    ],
)
def test_a_broken_rule_blames_its_field_in_its_words(given, field, rule) -> None:
    values = {**EQUITY, **given}

    with pytest.raises(RejectedRecordError) as caught:
        check_rules(Trade, values)

    assert (caught.value.field, caught.value.value) == (field, values[field])
    assert caught.value.rule.startswith(rule)

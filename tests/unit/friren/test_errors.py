"""Messages of errors are safe to log, and errors survive the way between processes."""

from __future__ import annotations

import copy
import pickle
from decimal import Decimal

import pytest

from friren import errors
from friren.errors import (
    FrirenError,
    InvalidTransitionError,
    KeyReusedError,
    PeriodClosedError,
    RejectedRecordError,
    StopTradingError,
    shown,
)

REFUSALS = (RejectedRecordError, KeyReusedError, InvalidTransitionError, PeriodClosedError)


class Nameless:
    def __repr__(self) -> str:
        raise ValueError("no repr")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("AAPL", "'AAPL'"),
        (Decimal("NaN"), "Decimal('NaN')"),
        (None, "None"),
        (Nameless(), "<Nameless, whose repr() raised ValueError>"),
        ("line\nbreak", r"'line\nbreak'"),
        ("a\x00b", r"'a\x00b'"),
        ("\x1b[31mred", r"'\x1b[31mred'"),
        ("a\ud800b", r"'a\ud800b'"),
        ("\u202eevil", r"'\u202eevil'"),
        ("Zürich ×", "'Zürich ×'"),
    ],
)
def test_a_value_is_shown_in_one_printable_line(value, text) -> None:
    assert shown(value) == text


@pytest.mark.parametrize(
    "value", ["x" * 10_000, 10**5000, list(range(10_000)), {"a": "y" * 500}], ids=lambda v: type(v).__name__
)
def test_a_long_value_is_cut(value) -> None:
    text = shown(value)

    assert len(text) < 160
    assert text.isprintable()
    assert "characters)" in text or "raised ValueError" in text


@pytest.mark.parametrize("kind", REFUSALS)
def test_a_refusal_names_field_value_and_rule(kind) -> None:
    error = kind("price", 1.5, "a Decimal is wanted")

    assert str(error) == "price=1.5: a Decimal is wanted"
    assert (error.field, error.value, error.rule) == ("price", 1.5, "a Decimal is wanted")


def test_a_refusal_of_the_record_as_a_whole_is_its_rule() -> None:
    assert str(RejectedRecordError(rule="give one of both")) == "give one of both"


@pytest.mark.parametrize("kind", [getattr(errors, name) for name in errors.__all__])
def test_the_docstring_is_the_message_that_says_what_to_do(kind) -> None:
    message = str(kind())

    assert message == " ".join(kind.__doc__.split())
    assert issubclass(kind, FrirenError)


@pytest.mark.parametrize("kind", REFUSALS)
@pytest.mark.parametrize("copied", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy])
def test_a_refusal_reaches_another_process_whole(kind, copied) -> None:
    error = copied(kind("price", Decimal("1.5"), "must be more"))

    assert type(error) is kind
    assert (error.field, error.value, error.rule) == ("price", Decimal("1.5"), "must be more")
    assert str(error) == "price=Decimal('1.5'): must be more"


def test_a_refusal_is_named_as_the_caller_knows_the_parameter() -> None:
    error = PeriodClosedError("executed_at", 1, "closed")

    named = error.named({"executed_at": "timestamp", "id": "trade_id"})
    assert type(named) is PeriodClosedError
    assert (named.field, named.value, named.rule) == ("timestamp", 1, "closed")
    assert error.named({}).field == "executed_at"


def test_what_stops_trading_carries_the_fact() -> None:
    fact = object()

    assert StopTradingError(fact=fact).fact is fact
    assert "take no new risk" in str(StopTradingError(fact=fact))

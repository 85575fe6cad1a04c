"""Bad data is refused before it is accepted: every bad value, for every parameter of every logger method."""

from __future__ import annotations

import datetime as dt
import inspect
import uuid
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
from django.db import connection

import friren
from friren.errors import RejectedRecordError, shown
from portfolio_manager.data_logger import (
    DecisionLogger,
    PortfolioSnapshotter,
    PortfolioTracker,
    RiskLogger,
    TradeIdeaService,
)
from tests.bad_values import KINDS, required
from tests.logger_calls import CALLS, MAPPINGS, NOON, ROUND_TRIP, TRADE, World, parameters_of
from trading_engine.models import Signal, Trade
from trading_engine.services import (
    BacktestRecorder,
    ModelTracker,
    PairRecorder,
    RegimeLogger,
    SentimentLogger,
    SignalLogger,
    SnapshotLogger,
    TradeLogger,
)

LOGGERS = (
    TradeLogger, SignalLogger, RegimeLogger, SentimentLogger, ModelTracker, BacktestRecorder, RiskLogger,
    PortfolioTracker, PairRecorder, SnapshotLogger, DecisionLogger, PortfolioSnapshotter, TradeIdeaService,
)  # fmt: skip
# Choices of the program's author, not data: what is wrong with them is a ConfigurationError.
CONFIGURATION = {"mode", "using", "durability"}
# They take nothing.
WITHOUT_DATA = {"close", "get_current_positions", "get_portfolio_state"}
# Kinds that are no single value, with tests of their own below.
COMPOUND = {"record", "records", "any"}
UNKNOWN_ROWS = [value for value in KINDS["reference"] if value not in KINDS["uuid"]]
SINGLE = [call for call in CALLS if not set(call.kinds.values()) <= COMPOUND]


@pytest.fixture
def world() -> World:
    made = World()
    made.free_book = friren.open_account("free", environment="BACKTEST")
    return made


def bad_values(kind: str) -> list[Any]:
    return required(KINDS[kind[1:]]) if kind.startswith("!") else KINDS[kind]


def stored() -> list[tuple[Any, ...]]:
    """Everything in every table but those of the write path itself, which keeps refused fills, as digests by table."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT string_agg(format('SELECT %L, md5(string_agg(t::text, %L ORDER BY t::text)) FROM %I t',"
            " tablename, ' ', tablename), ' UNION ALL ')"
            " FROM pg_tables WHERE schemaname = 'public' AND NOT starts_with(tablename, 'persistence_')"
        )
        cursor.execute(cursor.fetchone()[0])
        return sorted(cursor.fetchall())


def complaint(error: BaseException | None, name: str, value: Any) -> str | None:
    """Return what is wrong with a refusal, None when it names parameter, value and rule."""
    if not isinstance(error, RejectedRecordError):
        return f"{type(error).__name__} {error}"
    if error.field != name and not error.field.startswith((f"{name}.", f"{name}[", f"{name} (")):
        return f"names {error.field!r}"
    if not error.rule or not str(error).isprintable():
        return f"has the message {error}"
    return None if holds(value, error.value) else "names another value"


def holds(given: Any, named: Any) -> bool:
    """Whether the value named in a refusal is the one given, or a part of it."""
    if given is named or (isinstance(named, Decimal) and isinstance(given, Decimal | int) and given == named):
        return True
    if isinstance(named, uuid.UUID | str) and isinstance(given, uuid.UUID | str):
        return str(given) == str(named)
    parts = [*given.keys(), *given.values()] if isinstance(given, dict) else given
    return isinstance(parts, list | tuple | set) and any(holds(part, named) for part in parts if part is not given)


def refusal(method: Any, keywords: dict[str, Any]) -> BaseException | None:
    try:
        method(**keywords)
    except Exception as exc:  # noqa: BLE001 - whatever it is, the test shows it
        return exc
    return None


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_table_has_every_parameter(call) -> None:
    method = getattr(call.owner, call.method)

    assert call.kinds.keys() == parameters_of(method) - CONFIGURATION


@pytest.mark.parametrize("logger", LOGGERS)
def test_table_has_every_method(logger) -> None:
    methods = inspect.getmembers(logger, inspect.isfunction)
    # Async twins are the methods themselves on another thread.
    public = {name for name, it in methods if not name.startswith("_") and not inspect.iscoroutinefunction(it)}

    assert {call.method for call in CALLS if call.owner is logger} - {"__init__"} == public - WITHOUT_DATA


@pytest.mark.parametrize("call", SINGLE, ids=str)
def test_refuses_every_bad_value_of_every_parameter(world, call) -> None:
    method, keywords = call.bind(world)
    before = stored()

    complaints = []
    for name, kind in call.kinds.items():
        for value in bad_values(kind) if kind not in COMPOUND else ():
            if "reference" in kind:
                # A row that is missing is waited for while refused fills are still on their way to their shelf.
                assert world.trades.flush(timeout=120)
            problem = complaint(refusal(method, {**keywords, name: value}), name, value)
            if problem is not None:
                complaints.append(f"{name}, {type(value).__name__} {shown(value)}: {problem}")

    assert not complaints, "\n".join(complaints)
    assert stored() == before
    method(**keywords)  # the rest of the call is right


@pytest.mark.parametrize("mapping", MAPPINGS, ids=str)
def test_refuses_every_bad_value_in_a_mapping_of_keywords(world, mapping) -> None:
    before = stored()
    # A row that is missing may still be in the journal, where the refused fills of this batch are too: test_bulk.py.
    values = [
        (name, value)
        for name, kind in mapping.kinds.items()
        for value in bad_values(kind)
        if not ("reference" in kind and value in UNKNOWN_ROWS)
    ]

    refused = mapping.refused(world, [{**mapping.good, name: value} for name, value in values])

    assert [index for index, _ in refused] == list(range(len(values)))
    complaints = [
        f"{name} {shown(value)}: {problem}"
        for (name, value), (_, error) in zip(values, refused, strict=True)
        if (problem := complaint(error, name, value)) is not None
    ]
    assert not complaints, "\n".join(complaints)
    assert stored() == before


@pytest.mark.parametrize("mapping", MAPPINGS, ids=str)
@pytest.mark.parametrize("record", ["text", 5, None, [], [("action", "buy")], 1.5], ids=str)
def test_refuses_what_is_no_mapping(world, mapping, record) -> None:
    ((_, error),) = mapping.refused(world, [record])

    assert complaint(error, mapping.name, record) is None


@pytest.mark.parametrize("mapping", MAPPINGS, ids=str)
@pytest.mark.parametrize("keyword", ["no_such_thing", "id", "digest", "account", "status", "recorded_seq", 5, None])
def test_refuses_a_mapping_with_a_keyword_that_the_method_has_not(world, mapping, keyword) -> None:
    ((_, error),) = mapping.refused(world, [{**mapping.good, keyword: "filled"}])

    assert isinstance(error, RejectedRecordError)
    assert error.field == (keyword if isinstance(keyword, str) else mapping.name)
    assert "is no keyword of" in error.rule


@pytest.mark.parametrize("mapping", MAPPINGS, ids=str)
def test_a_mapping_without_a_required_keyword_is_refused_by_its_name(world, mapping) -> None:
    for name in mapping.good:
        ((_, error),) = mapping.refused(world, [{key: value for key, value in mapping.good.items() if key != name}])

        assert complaint(error, name, None) is None


@pytest.mark.parametrize(
    ("call", "keyword"),
    [
        (lambda world: world.trades.log_trade, {**TRADE, "status": "busted"}),
        (lambda world: world.trades.log_trade, {**TRADE, "no_such_thing": 1}),
        (lambda world: world.trades.log_round_trip, {**ROUND_TRIP, "status": "busted"}),
        (lambda world: world.trades.log_round_trip, {**ROUND_TRIP, "trade_id": "77"}),
        (lambda world: world.signals.log_signal, {"signal_type": "BUY", "timestamp": NOON, "executed": True}),
        (lambda world: world.regimes.log_regime_change, {"regime_type": "BULL", "timestamp": NOON, "market_regime": 1}),
        (lambda world: world.tracker.record_trade, {**TRADE, "status": "busted"}),
    ],
)
def test_a_keyword_that_the_method_has_not_is_a_mistake_of_the_program(world, call, keyword) -> None:
    before = stored()

    with pytest.raises(TypeError, match=r"argument|values"):
        call(world)(**keyword)

    assert stored() == before


def test_a_commission_of_neither_leg_is_refused(world) -> None:
    for commission in (Decimal(1), 0, "x"):
        error = refusal(world.trades.log_round_trip, {**ROUND_TRIP, "commission": commission})

        assert complaint(error, "commission", commission) is None


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"symbol": "AAPL", "market": "fed-june"}, "symbol"),
        ({"symbol": None, "market": None}, "symbol"),
        ({"action": "buy_yes"}, "action"),
        ({"symbol": None, "market": "fed-june", "action": "buy"}, "action"),
        ({"symbol": None, "market": "fed-june", "action": "buy_yes", "price": Decimal("1.01")}, "price"),
        ({"symbol": None, "market": "fed-june", "action": "buy_yes", "price": Decimal("-0.01")}, "price"),
        ({"quantity": 10**19, "price": 10}, "quantity"),
        ({"trade_id": "77", "external_id": "78"}, "trade_id"),
    ],
    ids=str,
)
def test_refuses_values_that_do_not_go_together(world, given, field) -> None:
    before = stored()

    for method in (world.trades.log_trade, world.tracker.record_trade):
        error = refusal(method, {**TRADE, **given})

        assert isinstance(error, RejectedRecordError)
        assert error.field == field
    assert stored() == before


def test_takes_a_pandas_timestamp_where_a_datetime_is_wanted(world) -> None:
    stamp = pd.Timestamp("2026-01-05 13:30:00.123456", tz="Europe/Berlin")
    trade = world.trades.log_trade(**{**TRADE, "timestamp": stamp, "received_at": stamp})
    signal = world.signals.log_signal(symbol="AAPL", signal_type="BUY", timestamp=stamp)

    moments = {
        *Trade.objects.filter(id=trade.id).values_list("executed_at", "received_at").get(),
        Signal.objects.get(id=signal.id).timestamp,
    }

    assert moments == {dt.datetime(2026, 1, 5, 12, 30, 0, 123456, tzinfo=dt.UTC)}
    assert [row.id for row in world.trades.get_trade_history(start=stamp)] == [trade.id]

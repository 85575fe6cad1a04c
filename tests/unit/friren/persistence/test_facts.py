"""Facts are made of a model's fields, checked, with no database."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from uuid import UUID, uuid4

import msgspec
import pytest
from django.apps import apps

from friren.accounts import AccountHandle
from friren.core.models import AuditLog, FactModel, SeriesModel
from friren.errors import RejectedRecordError
from friren.persistence.digest import digest_of
from friren.persistence.facts import make_fact, spec_named, spec_of
from friren.persistence.receipts import Receipt, WriteOutcome
from portfolio_manager.models import PeriodCheckpoint, RiskMetrics
from trading_engine.models import BacktestResult, MarketRegime, Order, PredictionMarket, Symbol, Trade

NOON = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
ACCOUNT = UUID(int=1)
FILL = {
    "account": ACCOUNT, "symbol": "AAPL", "action": "buy", "quantity": 10, "price": Decimal("187.32"),
    "executed_at": NOON,
}  # fmt: skip


def test_a_fact_keeps_what_differs_from_the_default() -> None:
    fact = make_fact(Trade, **FILL, reasoning="", tags=[], extra={}, commission=None, instrument_type="equity")

    assert fact.kind == "trade"
    assert fact.values == {**FILL, "symbol": ["AAPL", ""]}
    assert fact.id.version == 7


def test_a_fact_stands_as_it_was_made() -> None:
    fact = make_fact(Trade, **FILL)

    with pytest.raises(AttributeError):
        fact.kind = "order"


def test_a_fact_goes_through_json_whole() -> None:
    fact = make_fact(Trade, **FILL, shap_values={"rsi": 0.5})

    text = msgspec.json.encode({"id": fact.id, "values": fact.values})
    again = make_fact(
        Trade, id=UUID(msgspec.json.decode(text)["id"]),
        **{**fact.values, "price": Decimal(msgspec.json.decode(text)["values"]["price"])},
    )  # fmt: skip

    assert (again.id, again.digest) == (fact.id, fact.digest)


def test_the_digest_leaves_out_what_moves_and_how_it_reached_us() -> None:
    plain = make_fact(Trade, **FILL)
    more = make_fact(Trade, **FILL, status="settled", venue="IBKR", external_id="77", received_at=NOON)

    assert more.digest == plain.digest == digest_of({**FILL, "quantity": Decimal(10), "symbol": ["AAPL", ""]})
    assert make_fact(Trade, **FILL, commission=0).digest != plain.digest


@pytest.mark.parametrize("missing", ["account", "action", "quantity", "price", "executed_at"])
def test_what_is_required_is_asked_for_by_name(missing) -> None:
    with pytest.raises(RejectedRecordError) as caught:
        make_fact(Trade, **{**FILL, missing: None})

    assert (caught.value.field, caught.value.value, caught.value.rule) == (missing, None, "is required")


@pytest.mark.parametrize("name", ["digest", "recorded_seq", "producer", "created_at", "no_such_field"])
def test_what_the_write_path_fills_in_is_nobody_elses_to_give(name) -> None:
    with pytest.raises(TypeError, match=name):
        make_fact(Trade, **FILL, **{name: 1})


def handle(key: UUID) -> AccountHandle:
    return AccountHandle(
        id=key, name="n", owner="o", environment="PAPER", base_currency="USD", cost_basis="AVERAGE",
        position_mode="NETTING", timezone="UTC",
    )  # fmt: skip


@pytest.mark.parametrize("form", [lambda key: key, str, handle, lambda key: Receipt(key, WriteOutcome.STORED),
                                  lambda key: Order(id=key)])  # fmt: skip
def test_a_row_is_named_by_its_id_or_by_whatever_carries_it(form) -> None:
    key = uuid4()

    assert make_fact(Trade, **FILL, order=form(key)).values["order"] == key


@pytest.mark.parametrize("symbol", ["BTC-USD", ("BTC-USD", ""), ["BTC-USD", ""], Symbol(ticker="BTC-USD")], ids=str)
def test_a_symbol_is_named_by_ticker_and_venue(symbol) -> None:
    assert make_fact(Trade, **{**FILL, "symbol": symbol}).values["symbol"] == ["BTC-USD", ""]


def test_a_market_is_named_by_the_id_of_its_venue() -> None:
    told = {**FILL, "symbol": None, "instrument_type": "PREDICTION", "action": "buy_no", "price": Decimal("0.4")}

    facts = [make_fact(Trade, **told, market=one) for one in ("fed-june", PredictionMarket(market_id="fed-june"))]

    assert {fact.values["market"] for fact in facts} == {"fed-june"}


def test_integers_fit_their_column() -> None:
    check = spec_of(BacktestResult).fields["trade_count"].check

    assert check("trade_count", 2**31 - 1) == 2**31 - 1
    for value in (-1, 2**31):
        with pytest.raises(RejectedRecordError):
            check("trade_count", value)
    assert spec_of(PeriodCheckpoint).fields["trade_count"].check("trade_count", 2**63 - 1)


def test_addresses_are_addresses() -> None:
    entry = {"occurred_at": NOON, "action": "LOGIN", "model_label": "core.User"}

    assert make_fact(AuditLog, **entry, remote_addr="192.0.2.1").values["remote_addr"] == "192.0.2.1"
    with pytest.raises(RejectedRecordError):
        make_fact(AuditLog, **entry, remote_addr="somewhere")


@pytest.mark.parametrize(
    "model", [model for model in apps.get_models() if issubclass(model, FactModel | SeriesModel)],
    ids=lambda model: model.__name__,
)  # fmt: skip
def test_every_kind_of_fact_has_a_check_for_every_field(model) -> None:
    spec = spec_of(model)

    assert spec_named(spec.kind) is spec
    for name in model.lifecycle + model.undigested:
        # What is nobody's to give, such as the time of the last move, is no field of a fact.
        assert name not in spec.fields or not spec.fields[name].digested
    for field in spec.fields.values():
        with pytest.raises(RejectedRecordError):
            field.check(field.name, object())


def test_rows_that_are_no_facts_have_checks_too() -> None:
    for model in (RiskMetrics, MarketRegime, BacktestResult):
        assert {"id", "created_at", "updated_at"}.isdisjoint(spec_of(model).fields)

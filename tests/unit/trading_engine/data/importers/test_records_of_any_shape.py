"""Whatever stands in a record of a file: it is told, or refused with the field and the reason."""

from __future__ import annotations

import contextlib
import json
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from friren.accounts import AccountHandle
from friren.errors import RejectedRecordError
from trading_engine.data.importers.parsed import Issue
from trading_engine.data.importers.records import Entry
from trading_engine.data.importers.sources import read_files
from trading_engine.services.imported_facts import proposed_facts

BOOK = AccountHandle(UUID(int=1), "any", "system", "PAPER", "USD", "AVERAGE", "HEDGING", "UTC")
ORDER = {
    "amount": 2.0, "safe_price": 100.5, "ft_order_side": "buy", "order_filled_timestamp": 1626028844986,
    "order_id": "o-1", "status": "closed", "average": 100.5, "filled": 2.0, "is_open": False,
    "order_timestamp": 1626028844000, "order_type": "limit", "price": 100.5, "stop_price": None, "ft_fee_base": 0,
}  # fmt: skip
TRADE = {
    "trade_id": 1, "pair": "BTC/USDT", "quote_currency": "USDT", "exchange": "binance", "is_open": False,
    "amount": 2.0, "fee_open": 0.001, "fee_close": 0.001, "open_rate": 100.5, "open_timestamp": 1626028844985,
    "close_rate": 101, "close_timestamp": 1626028864985, "strategy": "S", "leverage": 1.0, "is_short": False,
    "profit_abs": 1, "profit_ratio": 0.01, "exit_reason": "roi", "funding_fees": 0.5, "trading_mode": "futures",
    "enter_tag": "x", "initial_stop_loss_abs": 90,
}  # fmt: skip
ROUND_TRIP = {
    "id": "m_1", "symbol": "XRP", "quantity": 5, "side": "long", "entry_price": 2.5, "exit_price": 2.6,
    "entry_time": 1761314029.249, "exit_time": 1761418991.842, "leverage": 1, "model_id": "m", "confidence": 0.5,
    "entry_commission_dollars": 0.1, "exit_commission_dollars": 0.1, "realized_net_pnl": 0.3, "entry_oid": 7,
    "entry_crossed": True, "exit_plan": {"profit_target": 3, "stop_loss": 2, "invalidation_condition": "x"},
}  # fmt: skip
ROW = {"time": "2026-01-05T14:30:00Z", "symbol": "A", "side": "buy", "qty": 1, "price": 2, "fee": 0.1, "id": "7"}
FILL = {"session": "2014-01-03", "order_id": "a", "dt": "2014-01-03", "amount": 100, "price": 5.5, "symbol": "A"}
HELD = {"session": "2014-01-04", "amount": 700, "symbol": "A"}
BEFORE = {"session": "2014-01-03", "amount": 100, "symbol": "A"}
EVENT = {
    "id": "7", "ticker": "rain", "title": "Rain", "slug": "rain", "updatedAt": "2026-05-17T06:00:00Z",
    "startDate": "2026-05-01T00:00:00Z", "endDate": "2026-06-01T00:00:00Z", "volume": 1.5,
    "volume24hr": 1, "liquidity": 2,
}  # fmt: skip
MARKET = {
    "id": "1", "conditionId": "0x1", "question": "Rain?", "updatedAt": "2026-05-17T06:00:00Z", "events": [EVENT],
    "outcomes": '["Yes", "No"]', "outcomePrices": '["1", "0"]', "clobTokenIds": '["11", "12"]', "volume": "1.5",
    "volume24hr": 1.5, "liquidity": "2", "closed": True, "umaResolutionStatus": "resolved",
    "closedTime": "2026-05-17 06:00:00+00",
}  # fmt: skip
BOOK_MARKET = {"c": "0x1", "t": [{"t": "11", "o": "Yes"}, {"t": "12", "o": "No"}], "mos": 5, "mts": 0.001}
# A row that is sound stands first: by it a file is told for what it is.
DOCUMENTS = {
    "freqtrade trips": ("freqtrade", TRADE, lambda one: {"trades": [TRADE, one]}),
    "freqtrade orders": ("freqtrade", ORDER, lambda one: {"trades": [TRADE, {**TRADE, "orders": [one]}]}),
    "freqtrade backtest": ("freqtrade", TRADE, lambda one: {"strategy": {"S": {"trades": [TRADE, one]}}}),
    "copy_ai": ("copy_ai", ROUND_TRIP, lambda one: {"trades": [ROUND_TRIP, one]}),
    "zipline fills": ("zipline", FILL, lambda one: {"transactions": [FILL, one], "positions": [HELD]}),
    "zipline positions": ("zipline", HELD, lambda one: {"transactions": [FILL], "positions": [BEFORE, one]}),
    "polymarket events": ("polymarket", EVENT, lambda one: [EVENT, one]),
    "polymarket markets": ("polymarket", MARKET, lambda one: [MARKET, one]),
    "polymarket order book": ("polymarket", BOOK_MARKET, lambda one: [BOOK_MARKET, one]),
    "csv": ("csv", ROW, lambda one: [ROW, one]),
}  # fmt: skip
ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5),
    st.sampled_from(["1e400", "-1", "0", "NaN", "1_0", "１", "\ud800", "\0", "9" * 50, "0." + "1" * 30, "x" * 400]),
    st.sampled_from([10**40, -(10**25), 1e300, 5e-324, 2**70, {}, [], {"a": [1]}, [None]]),
)  # fmt: skip


@pytest.mark.parametrize("name", DOCUMENTS)
@given(data=st.data())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_record_is_told_or_refused_by_field(name, data, tmp_path):
    source, sound, document = DOCUMENTS[name]
    changes = data.draw(st.dictionaries(st.sampled_from(sorted(sound)), ANYTHING, min_size=1, max_size=3))
    whole = document({**sound, **changes})
    path = write(tmp_path, whole, source)

    read = read_files(source, [path])

    assert not [error for error in read.unreadable if name != "zipline positions"]
    for file in read.files:
        for one in file:
            assert isinstance(one, Entry | Issue)
            if isinstance(one, Entry):
                # No other error than a refusal, which is what an import reports.
                with contextlib.suppress(RejectedRecordError):
                    assert proposed_facts(BOOK, one)
            else:
                assert one.rule
                one.value.encode()


def write(folder: Path, whole, source) -> Path:
    path = folder / ("any.jsonl" if source == "csv" else "any.json")
    lines = whole if source == "csv" else [whole]
    path.write_text("\n".join(json.dumps(line) for line in lines))
    return path


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_sound_record_is_told(name, tmp_path):
    source, sound, document = DOCUMENTS[name]
    (file,) = read_files(source, [write(tmp_path, document(sound), source)]).files

    entries = list(file)

    assert all(isinstance(entry, Entry) for entry in entries), entries
    facts = [one.fact for entry in entries for one in proposed_facts(BOOK, entry)]
    assert {fact.values.get("account") for fact in facts} == {None if source == "polymarket" else BOOK.id}
    assert source == "polymarket" or any(fact.values.get("price") not in {None, Decimal(0)} for fact in facts)

"""Fills as they are stored and read back: instruments, round trips, pages."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial
from uuid import UUID

import psycopg
import pytest
from django.db import connection, connections

import friren
from friren.errors import RejectedRecordError
from friren.persistence.receipts import WriteOutcome
from trading_engine.models import Symbol, Trade
from trading_engine.services import TradeLogger

UNKNOWN = UUID(int=7)
NOON = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
FILL = {"symbol": "AAPL", "action": "buy", "quantity": 10, "price": Decimal("187.32"), "timestamp": NOON}
SHARE = {"market": "fed-june", "action": "buy_yes", "quantity": 50, "price": Decimal("0.4"), "timestamp": NOON}
TRIP = {
    "symbol": "AAPL", "action": "buy", "quantity": 10, "entry_price": 10, "entry_timestamp": NOON,
    "exit_price": 11, "exit_timestamp": NOON + dt.timedelta(hours=1),
}  # fmt: skip


@pytest.fixture
def trades() -> TradeLogger:
    return TradeLogger(friren.open_account("book"))


class TestInstruments:
    def test_kind_follows_from_what_is_told(self, trades) -> None:
        told = [FILL, {**FILL, "leverage": 5}, SHARE, {**FILL, "instrument_type": "leveraged"}]
        ids = [trades.log_trade(**one).id for one in told]

        kinds = [Trade.objects.get(id=key).instrument_type for key in ids]

        assert kinds == ["EQUITY", "LEVERAGED", "PREDICTION", "LEVERAGED"]

    @pytest.mark.parametrize("price", [0, 1, Decimal("0.000000000000000001")])
    def test_share_of_a_market_costs_nothing_to_one(self, trades, price) -> None:
        assert trades.log_trade(**{**SHARE, "price": price}).outcome is WriteOutcome.STORED

    @pytest.mark.parametrize("price", [0, Decimal("-37.63")])
    def test_price_of_a_symbol_has_any_sign(self, trades, price) -> None:
        trades.log_trade(**{**FILL, "price": price})

        assert Trade.objects.get().price == price

    @pytest.mark.parametrize(
        "quantity", [Decimal("0.000000000000000001"), Decimal("99999999999999999999.999999999999999999")]
    )
    def test_every_digit_is_kept(self, trades, quantity) -> None:
        trades.log_trade(**{**FILL, "quantity": quantity, "price": Decimal("0.5")})

        assert Trade.objects.get().quantity == quantity

    def test_a_market_need_not_be_known(self, trades) -> None:
        trades.log_trade(**SHARE)

        assert trades.get_trade_history()[0].market == "fed-june"


class TestSymbols:
    def test_unknown_ones_get_the_currency_of_the_account(self) -> None:
        euros = friren.open_account("euros", base_currency="EUR")

        TradeLogger(euros).log_trade(**FILL)

        assert Symbol.objects.get().currency == "EUR"

    def test_known_ones_keep_theirs(self, trades) -> None:
        trades.log_trade(**FILL)

        TradeLogger(friren.open_account("euros", base_currency="EUR")).log_trade(**FILL)

        assert Symbol.objects.get().currency == "USD"

    def test_are_told_apart_by_venue(self, trades) -> None:
        for symbol in ("BTC-USD", ("BTC-USD", "coinbase"), ["BTC-USD", "kraken"], ("BTC-USD", "")):
            trades.log_trade(**{**FILL, "symbol": symbol})

        assert list(Symbol.objects.order_by("venue").values_list("venue", flat=True)) == ["", "coinbase", "kraken"]
        assert len(trades.get_trade_history("BTC-USD")) == 2
        assert len(trades.get_trade_history(("BTC-USD", "kraken"))) == 1
        assert len(trades.get_trade_history(Symbol.objects.get(venue="coinbase"))) == 1

    def test_are_made_once_by_many_threads(self, trades) -> None:
        def log(number: int) -> WriteOutcome:
            try:
                return trades.log_trade(**{**FILL, "symbol": f"S{number % 3}"}).outcome
            finally:
                connections.close_all()

        with ThreadPoolExecutor(8) as pool:
            outcomes = list(pool.map(log, range(24)))

        assert outcomes == [WriteOutcome.STORED] * 24
        assert Symbol.objects.count() == 3


class TestRoundTrips:
    def test_are_two_fills_that_belong_together(self, trades) -> None:
        receipts = trades.log_round_trip(
            **TRIP, entry_commission=1, exit_commission=Decimal("1.5"), strategy_used="sma", exit_reason="target",
            source_pnl=Decimal("7.5"), expected_price=Decimal("9.99"), order=None,
        )  # fmt: skip

        entry, exit_ = (Trade.objects.get(id=receipt.id) for receipt in receipts)
        assert [(leg.action, leg.price, leg.executed_at, leg.commission) for leg in (entry, exit_)] == [
            ("buy", 10, NOON, 1), ("sell", 11, NOON + dt.timedelta(hours=1), Decimal("1.5")),
        ]  # fmt: skip
        assert entry.round_trip == exit_.round_trip is not None
        assert {entry.strategy_used, exit_.strategy_used} == {"sma"}
        assert [(leg.exit_reason, leg.source_pnl, leg.expected_price) for leg in (entry, exit_)] == [
            ("", None, Decimal("9.99")), ("TARGET", Decimal("7.5"), None),
        ]  # fmt: skip

    @pytest.mark.parametrize(("action", "exit_"), [("short", "cover"), ("BUY", "sell")])
    def test_leave_as_they_came(self, trades, action, exit_) -> None:
        _, receipt = trades.log_round_trip(**{**TRIP, "action": action})

        assert Trade.objects.get(id=receipt.id).action == exit_

    def test_stake_of_a_market_is_that_of_the_entry(self, trades) -> None:
        trip = {**TRIP, "symbol": None, "market": "fed-june", "action": "buy_no", "entry_price": Decimal("0.4"),
                "exit_price": Decimal("0.6")}  # fmt: skip
        receipts = trades.log_round_trip(**trip, amount=4)

        assert [Trade.objects.get(id=one.id).amount for one in receipts] == [4, None]

    def test_told_twice_are_stored_once(self, trades) -> None:
        first = trades.log_round_trip(**TRIP, external_id="77", venue="IBKR")
        again = trades.log_round_trip(**TRIP, external_id="77", venue="IBKR")

        assert [receipt.outcome for receipt in (*first, *again)] == ["STORED", "STORED", "DUPLICATE", "DUPLICATE"]
        assert [one.id for one in first] == [one.id for one in again]
        assert set(Trade.objects.values_list("external_id", flat=True)) == {"77:entry", "77:exit"}

    @pytest.mark.parametrize(
        ("given", "field"),
        [
            ({"action": "sell"}, "action"),
            ({"exit_timestamp": NOON - dt.timedelta(seconds=1)}, "exit_timestamp"),
            ({"exit_price": None}, "exit_price"),
            ({"entry_timestamp": None}, "entry_timestamp"),
            ({"exit_commission": 1.5}, "exit_commission"),
            ({"external_id": "x" * 250}, "external_id"),
            ({"order": UNKNOWN}, "order"),
        ],
        ids=str,
    )
    def test_are_refused_as_a_whole(self, trades, given, field) -> None:
        with pytest.raises(RejectedRecordError) as caught:
            trades.log_round_trip(**{**TRIP, **given})

        assert caught.value.field == field
        assert not Trade.objects.exists()


class TestHistory:
    def test_tells_what_was_stored_in_plain_types(self, trades) -> None:
        trades.log_trade(**FILL, confidence_score=0.71, tags=["a"], extra={"x": 1}, regime_at_entry="bull")

        (row,) = trades.get_trade_history()

        assert (row.symbol, row.action, row.quantity, row.price, row.executed_at) == (
            "AAPL",
            "buy",
            10,
            FILL["price"],
            NOON,
        )
        assert (row.confidence_score, row.tags, row.extra) == (Decimal("0.71"), ["a"], {"x": 1})
        assert (row.regime_at_entry, row.status, row.commission) == ("BULL", "filled", None)
        assert not hasattr(row, "digest")

    def test_filters_join(self, trades) -> None:
        other = TradeLogger(friren.open_account("other"))
        wanted = trades.log_trade(**FILL, strategy_used="sma")
        trades.bust_trade(trades.log_trade(**FILL, strategy_used="sma"), reason="error")
        trades.log_trade(**FILL, strategy_used="other")
        trades.log_trade(**{**FILL, "symbol": "MSFT"}, strategy_used="sma")
        trades.log_trade(**{**FILL, "timestamp": NOON + dt.timedelta(hours=1)}, strategy_used="sma")
        other.log_trade(**FILL, strategy_used="sma")

        page = trades.get_trade_history(
            "AAPL", strategy="sma", status="FILLED", start=NOON, end=NOON + dt.timedelta(hours=1)
        )

        assert [row.id for row in page] == [wanted.id]
        assert page.next is None

    @pytest.mark.parametrize("limit", [1, 2, 3, 7, 10, 11])
    def test_pages_join_without_gap_or_repeat_though_times_tie(self, trades, limit) -> None:
        moments = [NOON + dt.timedelta(seconds=n // 4) for n in range(10)]
        stored = [trades.log_trade(**{**FILL, "timestamp": moment}).id for moment in moments]
        expected = sorted(zip(moments, stored, strict=True), reverse=True)

        read, after = [], None
        while True:
            page = trades.get_trade_history(limit=limit, after=after)
            read += [(row.executed_at, row.id) for row in page]
            # What comes in meanwhile and is newer moves nothing.
            trades.log_trade(**{**FILL, "timestamp": NOON + dt.timedelta(days=1)})
            after = page.next
            if after is None:
                break

        assert read == expected

    def test_page_knows_when_it_was_read(self, trades) -> None:
        before = dt.datetime.now(dt.UTC)
        page = trades.get_trade_history()

        assert before <= page.as_of <= dt.datetime.now(dt.UTC)
        assert (list(page), page.stale, page.next) == ([], False, None)


class TestLatestTrades:
    def test_are_the_newest_of_each_symbol_newest_first(self, trades) -> None:
        hours = [NOON + dt.timedelta(hours=n) for n in range(4)]
        told = [("AAPL", hours[1]), ("AAPL", hours[3]), ("MSFT", hours[2]), (("BTC-USD", "coinbase"), hours[0])]
        _, apple, microsoft, bitcoin = (
            trades.log_trade(**{**FILL, "symbol": symbol, "timestamp": moment}).id for symbol, moment in told
        )

        latest = trades.latest_trades()

        assert [row.id for row in latest] == [apple, microsoft, bitcoin]
        assert (latest.next, latest.stale) == (None, False)
        assert [row.symbol for row in trades.latest_trades(["MSFT", ("BTC-USD", "coinbase")])] == ["MSFT", "BTC-USD"]

    def test_of_one_moment_are_told_by_their_ids(self, trades) -> None:
        ids = [trades.log_trade(**FILL).id for _ in range(3)]

        assert [row.id for row in trades.latest_trades(("AAPL",))] == [max(ids)]

    def test_leave_out_what_was_busted_and_what_others_did(self, trades) -> None:
        other = TradeLogger(friren.open_account("other"))
        stands = trades.log_trade(**FILL).id
        wrong = trades.log_trade(**{**FILL, "timestamp": NOON + dt.timedelta(hours=1)})
        trades.bust_trade(wrong, reason="error")
        other.log_trade(**{**FILL, "timestamp": NOON + dt.timedelta(hours=2)})
        other.log_trade(**{**FILL, "symbol": "MSFT"})

        assert [row.id for row in trades.latest_trades()] == [stands]

    def test_of_symbols_never_traded_there_are_none(self, trades) -> None:
        trades.log_trade(**FILL)

        assert trades.latest_trades(["MSFT", ("AAPL", "other venue")]) == []
        assert trades.latest_trades([]) == []


@pytest.fixture
def many(trades) -> TradeLogger:
    """Some thousand fills of three accounts and forty symbols, with the statistics that the planner goes by."""
    template = trades.log_trade(**FILL, strategy_used="sma").id
    books = [trades.account.id, *(friren.open_account(name).id for name in ("second", "third"))]
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO trading_engine_symbol (ticker, venue, name, currency, multiplier, is_active,"
                       " created_at, updated_at) SELECT 'S' || n, '', '', 'USD', 1, true, now(), now()"
                       " FROM generate_series(1, 40) n")  # fmt: skip
        columns = [field.column for field in Trade._meta.concrete_fields]
        made = {
            "id": "gen_random_uuid()", "account_id": "(%s::uuid[])[1 + n %% 3]", "recorded_seq": "n",
            "symbol_id": "(SELECT min(id) FROM trading_engine_symbol) + n %% 40",
            "executed_at": "executed_at - n * interval '1 minute'", "strategy_used": "'strategy ' || n %% 20",
        }  # fmt: skip
        listed = ", ".join(made.get(column, column) for column in columns)
        cursor.execute(
            f"INSERT INTO trading_engine_trade ({', '.join(columns)}) SELECT {listed} "
            "FROM trading_engine_trade, generate_series(1, 6000) n WHERE id = %s",
            [books, template],
        )
        cursor.execute("ANALYZE trading_engine_trade, trading_engine_symbol")
    return trades


def plan_of(read, monkeypatch) -> str:
    asked = []
    really = psycopg.Cursor.execute

    def execute(cursor, query, params=None, **options):
        if isinstance(query, str) and 'FROM "trading_engine_trade"' in query:
            asked.append((query, params))
        return really(cursor, query, params, **options)

    # Whichever connection it is that reads.
    with monkeypatch.context() as patched:
        patched.setattr(psycopg.Cursor, "execute", execute)
        read()
    ((query, parameters),) = asked
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (FORMAT TEXT) " + query, parameters)
        return "\n".join(line for (line,) in cursor.fetchall())


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        ({}, "trade_by_account"),
        ({"symbol": "S7"}, "trade_by_symbol"),
        ({"strategy": "strategy 7"}, "trade_by_strategy"),
        ({"start": NOON - dt.timedelta(hours=2)}, "trade_by_account"),
        ({"after": (NOON - dt.timedelta(days=3), UNKNOWN)}, "trade_by_account"),
        ({"status": "busted"}, "trade_not_filled"),
    ],
    ids=str,
)
def test_history_reads_through_its_index(many, filters, index, monkeypatch) -> None:
    plan = plan_of(partial(many.get_trade_history, **filters, limit=20), monkeypatch)

    assert index in plan
    assert "Seq Scan on trading_engine_trade" not in plan


@pytest.mark.parametrize("symbols", [None, [f"S{n}" for n in range(30)]], ids=["all", "some"])
def test_latest_trades_look_once_per_symbol(many, symbols, monkeypatch) -> None:
    plan = plan_of(partial(many.latest_trades, symbols), monkeypatch)

    conditions = [line for line in plan.splitlines() if "Index Cond" in line]
    assert "trade_by_symbol" in plan
    # Entered by symbol and account: nothing of other accounts is walked past.
    assert any("symbol_id = " in line and "account_id = " in line for line in conditions), plan
    assert "Seq Scan on trading_engine_trade" not in plan

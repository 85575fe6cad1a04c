"""`manage.py import_data`: what goes in, what is there already, what disagrees, and what is refused with its line."""

from __future__ import annotations

import datetime as dt
import io
import json
from decimal import Decimal

import pytest
from django.db import connection, connections

from friren.accounts import find_account, open_account
from friren.persistence.engines import engine_for
from friren.persistence.models import DeadLetter
from friren.persistence.recorder import Recorder
from trading_engine.data.importers.sources import read_files
from trading_engine.management.commands.import_data import Command
from trading_engine.models import Order, OrderStatusEvent, Trade
from trading_engine.services import TradeLogger, data_imports
from trading_engine.services.data_imports import import_file

pytestmark = pytest.mark.usefixtures("database")
D = Decimal
HEADER = "executed_at,symbol,side,quantity,price,fee,trade_id,strategy\n"
FILLS = (
    "2026-01-05T14:30:00Z,AAPL,buy,10,187.32,1,77,sma\n"
    "2026-01-05T14:31:00Z,AAPL,sell,4,187.5,1,78,sma\n"
    "2026-01-05T14:32:00Z,MSFT,buy,1.5,400.01,0.35,79,\n"
)
COUNTS = ("imported", "updated", "duplicates", "conflicts", "rejected")


def run(*arguments):
    """Return (exit code, report, stderr) of the command as a terminal sees it."""
    command = Command(stdout=(stdout := io.StringIO()), stderr=(stderr := io.StringIO()), no_color=True)
    code = 0
    try:
        command.run_from_argv(["manage.py", "import_data", *map(str, arguments), "--json"])
    except SystemExit as exit_:
        code = exit_.code
    finally:
        connections.close_all()
    return code, json.loads(stdout.getvalue() or "null"), stderr.getvalue()


def counts(report):
    return tuple(report[name] for name in COUNTS)


@pytest.fixture
def book():
    return open_account("broker", environment="LIVE")


@pytest.fixture
def write(tmp_path):
    def write_file(text, name="fills.csv"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write_file


def import_csv(path, *options):
    return run("--source", "csv", "--account", "broker", path, *options)


def test_a_table_goes_in_once(book, write):
    path = write(HEADER + FILLS)

    first, second = import_csv(path), import_csv(path)

    assert (first[0], counts(first[1])) == (0, (3, 0, 0, 0, 0))
    assert (second[0], counts(second[1])) == (0, (0, 0, 3, 0, 0))
    trade = Trade.objects.get(external_id="77")
    assert (trade.account_id, trade.quantity, trade.price, trade.commission) == (book.id, 10, D("187.32"), 1)
    assert (trade.strategy_used, trade.venue, trade.symbol.ticker) == ("sma", "csv", "AAPL")
    assert Trade.objects.count() == 3
    assert not DeadLetter.objects.exists()


def test_a_dry_run_tells_the_same_and_stores_nothing(book, write):
    path = write(HEADER + FILLS)
    import_csv(write(HEADER + FILLS.splitlines(keepends=True)[0], "first.csv"))

    code, report, _ = import_csv(path, "--dry-run")

    assert (code, counts(report), report["dry_run"]) == (0, (2, 0, 1, 0, 0), True)
    assert Trade.objects.count() == 1


def test_a_broken_record_is_named_by_its_line_and_the_rest_goes_in(book, write):
    lines = FILLS.splitlines(keepends=True)
    path = write(HEADER + lines[0] + "2026-01-05T14:30:30Z,AAPL,buy,ten,187,1,80,sma\n" + "short,line\n" + lines[1])

    code, report, _ = import_csv(path)

    assert (code, counts(report)) == (0, (2, 0, 0, 0, 2))
    first, second = report["rejected_rows"]
    assert (first["line"], first["field"], first["value"]) == (3, "quantity", "ten")
    assert (second["line"], second["rule"]) == (4, "8 columns as in the header, not 2")
    assert first["file"] == str(path)


def test_what_breaks_a_rule_of_the_books_is_refused_alone(book, write):
    long_name = "x" * 300
    path = write(
        HEADER
        + FILLS
        + f"2026-01-05T14:33:00Z,AAPL,hold,1,1,1,81,\n2026-01-05T14:34:00Z,AAPL,buy,1,1,1,82,{long_name}\n"
    )

    _, report, _ = import_csv(path)

    assert counts(report) == (3, 0, 0, 0, 2)
    assert [(row["line"], row["field"]) for row in report["rejected_rows"]] == [(5, "action"), (6, "strategy_used")]


def test_a_changed_fact_is_kept_and_the_other_recorded_as_a_conflict_once(book, write):
    import_csv(write(HEADER + FILLS))
    path = write(HEADER + FILLS.replace("187.32", "187.33"), "later.csv")

    first, again = import_csv(path), import_csv(path)

    assert (first[0], counts(first[1])) == (again[0], counts(again[1])) == (0, (0, 0, 2, 1, 0))
    (row,) = first[1]["conflict_rows"]
    assert (row["line"], row["external_id"]) == (2, "77")
    assert row["fields"] == {"price": {"stored": "187.32", "told": "187.33"}}
    assert Trade.objects.get(external_id="77").price == D("187.32")
    letter = DeadLetter.objects.get()
    assert (letter.shelf, letter.kind, letter.account_id, letter.attempts) == ("dead", "trade", book.id, 2)
    assert "price is 187.32, and told as 187.33" in letter.error
    assert "later.csv, line 2" in letter.error


def test_two_tellings_within_one_file_are_one_fact_or_a_conflict(book, write):
    first, *_ = FILLS.splitlines(keepends=True)

    _, report, _ = import_csv(write(HEADER + first * 2 + first.replace("187.32", "1")))

    assert counts(report) == (1, 0, 1, 1, 0)
    assert report["conflict_rows"][0]["fields"] == {"price": {"stored": "187.32", "told": "1"}}


def test_a_fill_that_a_bot_logged_itself_is_found_by_the_venues_id(book, write):
    logged = TradeLogger(book).log_trade(
        symbol="AAPL", action="buy", quantity=10, price=D("187.32"), commission=1,
        timestamp=dt.datetime(2026, 1, 5, 14, 30, tzinfo=dt.UTC), venue="csv", external_id="77",
        strategy_used="sma", reasoning="a crossing", confidence_score=0.7,
    )  # fmt: skip

    _, report, _ = import_csv(write(HEADER + FILLS))

    # It says less than the bot did, and nothing else.
    assert counts(report) == (2, 0, 1, 0, 0)
    assert Trade.objects.get(external_id="77").id == logged.id


def test_books_that_nobody_opened_are_not_opened_by_a_typo(write):
    path = write(HEADER + FILLS)

    refused = run("--source", "csv", "--account", "brokr", path)
    unnamed = run("--source", "csv", path)
    opened = run("--source", "csv", "--account", "broker", "--open", "PAPER", "--currency", "EUR", path)

    assert (refused[0], unnamed[0], opened[0]) == (1, 1, 0)
    assert "no account 'brokr' was opened" in refused[2]
    assert "--account" in unnamed[2]
    account = find_account("broker")
    assert (account.environment, account.base_currency) == ("PAPER", "EUR")


def test_what_is_no_file_of_the_source_is_named_and_the_others_go_in(book, write, tmp_path):
    paths = write(HEADER + FILLS), write("a,b\n1,2\n", "other.csv"), tmp_path / "none.csv"

    code, report, said = run("--source", "csv", "--account", "broker", *paths)

    assert (code, counts(report)) == (1, (3, 0, 0, 0, 0))
    assert [row["rule"] for row in report["unreadable"]] == [
        "there is no such file",
        "no column for timestamp, symbol, quantity, price among a, b; name them in a --mapping under [columns]",
    ]
    assert said.count("error: ") == 2


def test_options_of_tables_are_wrong_usage_elsewhere(write):
    code, _, said = run("--source", "pyfolio", "--timezone", "UTC", write(""))

    assert (code, "--source csv" in said) == (2, True)


def test_a_fill_of_a_closed_period_is_refused_by_line_and_again_the_next_time(book, write):
    from portfolio_manager.data_logger import PortfolioTracker

    PortfolioTracker(book).close_period(dt.datetime(2026, 1, 5, 14, 31, tzinfo=dt.UTC))
    path = write(HEADER + FILLS)

    first, again = import_csv(path), import_csv(path)

    assert counts(first[1]) == (2, 0, 0, 0, 1)
    assert counts(again[1]) == (0, 0, 2, 0, 1)
    assert first[1]["rejected_rows"][0]["line"] == 2
    assert not DeadLetter.objects.exists()


def freqtrade_trade(**changes):
    """Return an open trade of freqtrade's API, with an order that fills it."""
    order = {
        "amount": 2.0, "safe_price": 100.5, "ft_order_side": "buy", "order_filled_timestamp": 1626028844986,
        "order_id": "o-1", "status": "open", "average": 100.5, "filled": 0.0, "is_open": True,
        "order_timestamp": 1626028844000, "order_type": "limit", "price": 100.5,
    }  # fmt: skip
    order |= changes.pop("order", {})
    return {
        "trade_id": 1, "pair": "BTC/USDT", "quote_currency": "USDT", "exchange": "binance", "is_open": True,
        "amount": 2.0, "fee_open": 0.001, "fee_close": 0.001, "open_rate": 100.5, "open_timestamp": 1626028844985,
        "strategy": "S", "leverage": 1.0, "is_short": False, "orders": [order],
    } | changes  # fmt: skip


def test_a_later_snapshot_moves_orders_on_and_brings_the_fills(write):
    early = write(json.dumps({"trades": [freqtrade_trade()]}), "early.json")
    late = write(
        json.dumps({"trades": [freqtrade_trade(order={"status": "closed", "filled": 2.0, "is_open": False})]}),
        "late.json",
    )

    first, then, back = (run("--source", "freqtrade", path) for path in (early, late, early))

    assert counts(first[1]) == (1, 0, 0, 0, 0)  # the order; its fill may still grow
    assert counts(then[1]) == (1, 1, 0, 0, 0)
    assert counts(back[1]) == (0, 0, 1, 0, 0)  # an older snapshot tells nothing new
    order = Order.objects.get()
    trade = Trade.objects.get()
    assert (order.status, order.external_id, order.limit_price) == ("filled", "o-1", D("100.5"))
    assert [event.to_status for event in OrderStatusEvent.objects.all()] == ["filled"]
    assert OrderStatusEvent.objects.get().occurred_at == dt.datetime.fromtimestamp(1626028844.986, dt.UTC)
    assert (trade.order_id, trade.quantity, trade.commission) == (order.id, 2, D("0.201"))


def test_a_state_that_cannot_follow_is_a_conflict(write):
    filled = freqtrade_trade(order={"status": "closed", "filled": 2.0, "is_open": False})
    run("--source", "freqtrade", write(json.dumps({"trades": [filled]}), "filled.json"))
    cancelled = write(json.dumps({"trades": [freqtrade_trade(order={"status": "canceled"})]}), "cancelled.json")

    _, report, _ = run("--source", "freqtrade", cancelled)

    assert report["conflict_rows"][0]["fields"] == {"status": {"stored": "filled", "told": "cancelled"}}
    assert Order.objects.get().status == "filled"


def test_a_document_that_breaks_off_gives_what_stands_before(write):
    text = json.dumps([freqtrade_trade(trade_id=number, orders=[]) for number in (1, 2, 3)], indent=1)
    path = write(text[: text.rindex('"pair"')])

    code, report, _ = run("--source", "freqtrade", path)

    assert (code, counts(report)) == (1, (2, 0, 0, 0, 0))
    assert "what stands before it was read" in report["unreadable"][0]["rule"]


def test_while_the_database_is_away_records_go_by_the_journal_once(book, write):
    path = write(HEADER + FILLS)
    (file,) = read_files("csv", [path]).files

    away = import_file(file, account=book, recorder=Recorder(mode="journal"))
    assert engine_for().flush(120)
    again = import_csv(path)

    assert (away.imported, away.journaled, away.rejected) == (0, 3, 0)
    assert counts(again[1]) == (0, 0, 3, 0, 0)
    assert Trade.objects.count() == 3


def test_bytes_that_are_no_text_cost_one_record(book, tmp_path):
    path = tmp_path / "fills.csv"
    path.write_bytes((HEADER + FILLS).encode() + b"2026-01-05T14:33:00Z,A\xffPL,buy,1,1,1,80,\n")

    _, report, _ = import_csv(path)

    assert counts(report) == (3, 0, 0, 0, 1)
    assert (report["rejected_rows"][0]["line"], report["rejected_rows"][0]["field"]) == (5, "symbol")
    json.dumps(report, ensure_ascii=False).encode()


def test_an_order_that_a_bot_logged_itself_is_found_and_its_fill_refers_to_it(write):
    account = open_account("freqtrade", base_currency="USDT", position_mode="HEDGING")
    logged = TradeLogger(account).log_order(
        symbol="BTC/USDT", action="buy", quantity=2, type="LIMIT", limit_price=D("100.5"), time_in_force="GTC",
        timestamp=dt.datetime.fromtimestamp(1626028844, dt.UTC), venue="binance", external_id="o-1",
        strategy_used="S", reasoning="a crossing",
    )  # fmt: skip
    filled = freqtrade_trade(order={"status": "closed", "filled": 2.0, "is_open": False})

    _, report, _ = run("--source", "freqtrade", write(json.dumps({"trades": [filled]}), "filled.json"))

    assert counts(report) == (1, 1, 0, 0, 0)
    order = Order.objects.get()
    assert (order.id, order.status, Trade.objects.get().order_id) == (logged.id, "filled", logged.id)


def test_long_explanations_make_a_batch_shorter(book, write, monkeypatch):
    monkeypatch.setattr(data_imports, "BATCH_CHARACTERS", 10)

    _, report, _ = import_csv(write(HEADER + FILLS))

    assert report["imported"] == 3
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(DISTINCT xmin::text) FROM trading_engine_trade")
        assert cursor.fetchone() == (3,)

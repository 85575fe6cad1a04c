"""Lists of large tables: pages by key, estimated counts, filters and searches that an index answers."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from friren.operations.admin import changelist, counting
from friren.operations.admin.counting import EstimatedPaginator, count_of
from tests.factories import (
    MONDAY,
    AccountFactory,
    AuditLogFactory,
    OrderFactory,
    PositionFactory,
    SymbolFactory,
    TradeFactory,
    UserFactory,
)
from trading_engine.models import Price, Symbol

TRADES = reverse("admin:trading_engine_trade_changelist")


@pytest.fixture
def client() -> Client:
    signed_in = Client()
    signed_in.force_login(UserFactory(is_staff=True, is_superuser=True))
    return signed_in


@pytest.fixture
def book():
    return AccountFactory(name="momentum")


def fill_symbols(number: int) -> None:
    Symbol.objects.bulk_create([Symbol(ticker=f"T{index:06}") for index in range(number)])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE trading_engine_symbol")


def listed(client, path=TRADES, **params):
    response = client.get(path, params)
    assert response.status_code == 200, (response.status_code, response.headers)
    return response.context["cl"]


def walk(client, path, link: str, query: str):
    """The ids of all rows, page by page, following one link to its end."""
    seen = []
    for _page in range(10):
        if query is None:
            return seen
        shown = client.get(path + query).context["cl"]
        ids = [row.pk for row in shown.result_list]
        seen = [*seen, *ids] if link == "older" else [*ids, *seen]
        query = getattr(shown, link)
    raise AssertionError("the pages do not end")


@pytest.mark.parametrize("link", ["older", "newer"])
@pytest.mark.parametrize("newest_first", [True, False])
def test_pages_show_every_row_once_though_many_share_a_moment(link, newest_first, client, book, monkeypatch) -> None:
    monkeypatch.setattr("friren.operations.admin.bases.BaseAdmin.list_per_page", 4)
    aapl = SymbolFactory(ticker="AAPL")
    trades = [
        TradeFactory(account=book, symbol=aapl, executed_at=MONDAY + dt.timedelta(minutes=index // 5))
        for index in range(11)
    ]
    newest = sorted(trades, key=lambda t: t.pk, reverse=True)  # of one moment the newest id first, either way
    expected = sorted(newest, key=lambda t: t.executed_at, reverse=newest_first)

    query = ("?" if newest_first else "?o=0&") + ("" if link == "older" else "before=end")
    assert walk(client, TRADES, link, query) == [t.pk for t in expected]


def test_pages_have_links_only_where_there_is_something(client, book, monkeypatch) -> None:
    monkeypatch.setattr("friren.operations.admin.bases.BaseAdmin.list_per_page", 2)
    TradeFactory.create_batch(3, account=book)

    start, end = listed(client), listed(client, before="end")
    assert (start.first, start.newer) == (None, None)
    assert start.older
    assert start.last
    assert (end.older, end.last) == (None, None)
    assert end.newer
    assert end.first


def test_pages_keep_the_filters(client, book, monkeypatch) -> None:
    monkeypatch.setattr("friren.operations.admin.bases.BaseAdmin.list_per_page", 2)
    TradeFactory.create_batch(3, account=book)
    TradeFactory.create_batch(3, account=AccountFactory())

    following = client.get(TRADES + listed(client, account=str(book.id)).older).context["cl"]
    assert [row.account for row in following.result_list] == [book]
    assert following.counted == (3, True)
    # A filter begins at the first page again.
    assert "after" not in following.get_query_string({"status__exact": "filled"})


@pytest.mark.parametrize("position", ["nowhere", "00000000-0000-4000-8000-000000000000"])
def test_a_position_that_is_gone_leads_to_the_first_page(position, client, book) -> None:
    TradeFactory(account=book)

    assert client.get(TRADES, {"after": position}).headers["Location"].endswith("?e=1")


def test_an_order_without_pages_by_key_leads_to_the_first_page(client, monkeypatch) -> None:
    monkeypatch.setattr("friren.operations.admin.bases.BaseAdmin.list_per_page", 1)
    positions = reverse("admin:portfolio_manager_position_changelist")
    first, _second = PositionFactory.create_batch(2)

    # Column 6 may be null, so nothing links to this.
    assert client.get(positions, {"o": "6", "after": str(first.pk)}).headers["Location"].endswith("?e=1")


def test_counts_small_tables_exactly_and_estimates_large_ones() -> None:
    fill_symbols(1_000)
    assert count_of(Symbol.objects.all()) == (1_000, True)
    fill_large = 60_000
    Symbol.objects.all().delete()
    fill_symbols(fill_large)

    with CaptureQueriesContext(connection) as captured:
        counted = count_of(Symbol.objects.order_by("ticker"))
        assert EstimatedPaginator(Symbol.objects.order_by("ticker"), 50).count == counted.rows
    assert not counted.exact
    assert abs(counted.rows - fill_large) < fill_large / 20
    assert all(query["sql"].startswith("EXPLAIN") for query in captured)
    assert count_of(Symbol.objects.filter(ticker="T000001")) == (1, True)


def test_counts_nothing_as_nothing() -> None:
    assert count_of(Symbol.objects.none()) == (0, True)
    assert count_of(Price.objects.filter(pk__in=[])) == (0, True)


def test_too_many_rows_to_sort_are_shown_by_id_and_say_so(client, book, monkeypatch) -> None:
    monkeypatch.setattr(counting, "EXACT_UP_TO", 0)
    monkeypatch.setattr(counting, "SORTED_UP_TO", 2)
    trades = TradeFactory.create_batch(8, account=book)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE trading_engine_trade")

    everything = client.get(TRADES)
    assert everything.context["cl"].unsorted
    assert [row.pk for row in everything.context["cl"].result_list] == sorted((t.pk for t in trades), reverse=True)
    assert "too many to sort" in everything.content.decode()


def test_what_an_index_sorts_is_shown_in_order(client, monkeypatch) -> None:
    monkeypatch.setattr(counting, "EXACT_UP_TO", 0)
    fill_symbols(2_000)
    # By the primary key, which needs no sort, however small the limit.
    monkeypatch.setattr(counting, "SORTED_UP_TO", 0)

    assert not counting.sorts_too_much(Symbol.objects.order_by("-pk")[:51])
    assert counting.sorts_too_much(Symbol.objects.order_by("name")[:51])
    assert changelist.KeysetChangeList.__name__ == type(listed(client)).__name__


def test_filters_by_account_ticker_strategy_and_days(client, book) -> None:
    aapl, msft = SymbolFactory(ticker="AAPL"), SymbolFactory(ticker="MSFT")
    wanted = TradeFactory(account=book, symbol=aapl, strategy_used="trend", executed_at=MONDAY)
    TradeFactory(account=AccountFactory(), symbol=aapl, strategy_used="trend", executed_at=MONDAY)
    TradeFactory(account=book, symbol=msft, strategy_used="trend", executed_at=MONDAY)
    TradeFactory(account=book, symbol=aapl, strategy_used="mean", executed_at=MONDAY)
    TradeFactory(account=book, symbol=aapl, strategy_used="trend", executed_at=MONDAY + dt.timedelta(days=1))

    shown = listed(
        client,
        account=str(book.id),
        ticker="AAPL",
        strategy="trend",
        executed_at_from="2024-01-08",
        executed_at_to="2024-01-08",
    )
    assert list(shown.result_list) == [wanted]
    assert list(listed(client, ticker="aapl").result_list) == []  # exact
    assert len(listed(client, executed_at_to="2024-01-07").result_list) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"executed_at_from": "yesterday"},
        {"executed_at_to": "9999-12-31"},
        {"account": "momentum"},
        {"strategy": "\x00"},
        {"after": "\x00"},
        {"no_such_field": "1"},
    ],
    ids=str,
)
def test_a_filter_that_makes_no_sense_leads_to_the_whole_list(wrong, client) -> None:
    assert client.get(TRADES, wrong).headers["Location"].endswith("?e=1")


def test_the_account_filter_lists_few_and_the_one_that_is_chosen(client) -> None:
    oldest = AccountFactory(environment="BACKTEST")
    AccountFactory.create_batch(25, environment="BACKTEST")
    live = AccountFactory(environment="LIVE")
    (accounts,) = [spec for spec in listed(client, account=str(oldest.id)).filter_specs if spec.title == "account"]

    assert accounts.listed[0] == live
    assert accounts.listed[-1] == oldest
    assert len(accounts.listed) == 21


def test_filters_ask_for_no_distinct_values(client, book) -> None:
    TradeFactory(account=book)
    with CaptureQueriesContext(connection) as captured:
        client.get(TRADES)
    assert not [query["sql"] for query in captured if "DISTINCT" in query["sql"]]


def test_searches_for_exactly_what_is_typed(client, book) -> None:
    aapl = SymbolFactory(ticker="AAPL")
    order = OrderFactory(account=book, symbol=aapl)
    trade = TradeFactory(account=book, symbol=aapl, external_id="77", venue="IBKR", order=order)
    TradeFactory(symbol=SymbolFactory(ticker="AAPLX"), external_id="778")

    for words in ("AAPL", " AAPL ", "momentum", str(trade.id), "77"):
        assert list(listed(client, q=words).result_list) == [trade], words
    for words in ("AAP", "aapl", "7", "no such thing"):
        assert list(listed(client, q=words).result_list) == [], words


def test_searches_a_ticker_by_its_id_so_that_the_index_serves(client, book) -> None:
    TradeFactory(account=book, symbol=SymbolFactory(ticker="AAPL"))
    with CaptureQueriesContext(connection) as captured:
        listed(client, q="AAPL")
    pages = [
        query["sql"] for query in captured if "LIMIT 51" in query["sql"] and not query["sql"].startswith("EXPLAIN")
    ]
    assert len(pages) == 1
    assert '"trading_engine_trade"."symbol_id" IN' in pages[0]


def test_a_soft_reference_to_nothing_is_shown_as_its_text(client, book) -> None:
    trade = TradeFactory(
        account=book, symbol=None, market="not-stored", instrument_type="PREDICTION", action="buy_yes",
        price=1, event="unknown-event",
    )  # fmt: skip

    assert "not-stored" in client.get(TRADES).content.decode()
    page = client.get(reverse("admin:trading_engine_trade_change", args=[trade.pk])).content.decode()
    assert "not-stored" in page
    assert "unknown-event" in page


def test_ids_are_short_in_lists_and_whole_on_pages(client) -> None:
    entry = AuditLogFactory()
    shown = client.get(reverse("admin:core_auditlog_changelist")).content.decode()
    page = client.get(reverse("admin:core_auditlog_change", args=[entry.pk])).content.decode()

    assert f">…{str(entry.pk)[-8:]}</code>" in shown
    assert f">{entry.pk}</code>" in page


def test_times_say_their_zone_and_money_is_plain(client, book) -> None:
    moment = dt.datetime(2024, 1, 8, 9, 30, 5, 250_000, tzinfo=dt.timezone(dt.timedelta(hours=-5)))
    trade = TradeFactory(account=book, executed_at=moment, price=Decimal("1E-18"))
    shown = client.get(TRADES).content.decode()
    page = client.get(reverse("admin:trading_engine_trade_change", args=[trade.pk])).content.decode()

    assert ">2024-01-08 14:30:05 UTC</time>" in shown
    assert ">2024-01-08 14:30:05.250000 UTC</time>" in page
    for text in (shown, page):
        assert ">0.000000000000000001</span>" in text
    assert "{\n  &quot;rsi&quot;: 0.12\n}" in page

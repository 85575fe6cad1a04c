"""The admin in a real browser: it looks as it should, runs no script of its own, and leads from order to position."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from django.apps import apps
from django.urls import reverse

from friren.accounts import open_account
from friren.core.models import User
from portfolio_manager.data_logger import PortfolioTracker
from tests.factories import MONDAY, SymbolFactory, factories
from trading_engine.models import Symbol
from trading_engine.services import TradeLogger

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.debian("chromium")]

OWN_APPS = ("core", "operations", "trading_engine", "portfolio_manager")
MODELS = [model for label in OWN_APPS for model in apps.get_app_config(label).get_models()]
NAME, PASSWORD = "ada", "correct horse battery staple"


@pytest.fixture(autouse=True)
def _manager() -> None:
    User.objects.create_superuser(NAME, password=PASSWORD)


def changelist(model) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def test_every_list_and_page_opens_without_a_complaint(browse) -> None:
    pages = []
    for model, make in factories().items():
        row = make()
        pages.append(reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[row.pk]))
    visitor = browse()
    visitor.sign_in(NAME, PASSWORD)

    for path in ["/admin/", *map(changelist, MODELS), *pages]:
        visitor.open(path)
        assert visitor.page.url == visitor.address + path
        assert visitor.page.locator("#site-name").inner_text() == "Friren"
    assert visitor.complaints == []


def test_leads_from_the_order_over_its_trade_to_the_position(browse) -> None:
    book = open_account("momentum", starting_cash=Decimal(100_000))
    order = TradeLogger(account=book).log_order(symbol="AAPL", action="buy", quantity=10, timestamp=MONDAY)
    PortfolioTracker(account=book).record_trade(
        symbol="AAPL", action="buy", quantity=10, price=Decimal("187.32"), order=order.id,
        timestamp=MONDAY + dt.timedelta(minutes=1), commission=Decimal(1),
    )  # fmt: skip
    visitor = browse()
    page = visitor.page
    visitor.sign_in(NAME, PASSWORD)

    page.click("#content-main >> text=Orders")
    page.click("#result_list tbody th a")
    page.click(".friren-panel:has(h2:text('Trades')) tbody th a")
    assert page.locator(".field-price .readonly").inner_text() == "187.32"
    assert page.locator(".field-executed_at .readonly").inner_text() == "2024-01-08 14:31 UTC"
    page.click(".friren-panel:has(h2:text('Effect on positions')) tbody a:text('LONG 10 (open)')")
    assert page.locator("#content h2").first.inner_text() == "LONG 10 (open)"
    page.click(".friren-panel:has(h2:text('Fills')) a:text('buy 10 at 187.32')")
    page.click(".field-account .readonly a")
    assert "98125.8 USD" in page.locator(".friren-panel").first.inner_text()
    assert visitor.complaints == []


def test_filters_by_typing_a_ticker_and_edits_a_symbol(browse) -> None:
    SymbolFactory(ticker="AAPL", name="Apple")
    SymbolFactory(ticker="XOM", name="Exxon", sector="Energy")
    visitor = browse()
    page = visitor.page
    visitor.sign_in(NAME, PASSWORD)

    visitor.open(changelist(Symbol))
    page.fill("input[name=sector]", "Energy")
    page.press("input[name=sector]", "Enter")
    page.wait_for_url("**/?sector=Energy*")
    assert page.locator("#result_list tbody tr").count() == 1
    page.click("#result_list tbody th a")
    page.fill("input[name=tick_size]", "0.005")
    page.click("input[name=_save]")
    page.wait_for_selector(".messagelist .success")
    assert page.locator("#result_list .field-tick_size").inner_text() == "0.005"
    assert visitor.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_numbers_stand_right_and_losses_red_in_light_and_dark(scheme, browse) -> None:
    book = open_account("momentum", starting_cash=Decimal(1000))
    PortfolioTracker(account=book).record_trade(
        symbol="AAPL", action="buy", quantity=1, price=Decimal("187.32"), timestamp=MONDAY
    )
    visitor = browse(color_scheme=scheme)
    visitor.sign_in(NAME, PASSWORD)

    visitor.open(reverse("admin:portfolio_manager_ledgerentry_changelist"))
    style = "element => { const s = getComputedStyle(element); return [s.textAlign, s.color] }"
    amounts = visitor.page.locator("#result_list td.field-amount")
    assert amounts.all_inner_texts() == ["-187.32", "1000"]
    spent = visitor.page.locator("#result_list td.field-amount .friren-negative").evaluate(style)
    got = amounts.nth(1).evaluate(style)
    assert got[0] == "right"
    assert spent[0] == "right"
    assert spent[1] != got[1]
    assert visitor.complaints == []

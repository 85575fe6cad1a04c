"""Why a trade was made, read in a real browser: from the trade to its explanation and to what was decided."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.urls import reverse

from friren.accounts import open_account
from friren.core.models import User
from portfolio_manager.data_logger import PortfolioTracker
from tests.explained import trade_with_everything
from tests.factories import MONDAY

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.debian("chromium")]

NAME, PASSWORD = "grace", "correct horse battery staple"


def test_a_person_reads_why_a_trade_was_made(browse) -> None:
    book = open_account("explained", starting_cash=Decimal(100_000))
    traded = trade_with_everything(book)
    User.objects.create_superuser(NAME, password=PASSWORD)
    bare = PortfolioTracker(book).record_trade(
        symbol="AAPL", action="buy", quantity=1, price=Decimal("187.32"), timestamp=MONDAY
    )
    trade, plain = (reverse("admin:trading_engine_trade_change", args=[key]) for key in (traded["trade"], bare.id))
    visitor = browse()
    page = visitor.page
    visitor.sign_in(NAME, PASSWORD)

    visitor.open(trade)
    page.click(".object-tools >> text=Explanation")
    page.locator("h2:text('Seen: accounts')").wait_for()
    headings = page.locator(".friren-panel h2").all_inner_texts()
    assert headings[:6] == ["Signal", "Idea", "Risk gate", "Decisions", "Order", "Moves of the order"]
    page.locator(".friren-panel:has(h2:text-is('Idea'))").get_by_text("Its page").click()
    page.click(".object-tools >> text=Timeline")
    page.locator(".friren-timeline").wait_for()
    assert page.locator(".friren-timeline > li").count() == 3
    assert "seen before" in page.locator(".friren-timeline").inner_text()
    visitor.open(plain)
    page.click(".object-tools >> text=Explanation")
    page.locator("h2:text('What is missing')").wait_for()
    visitor.open(reverse("admin:portfolio_manager_strategy_add"))
    page.fill("#id_name", "dip")
    page.fill("#id_entry_conditions", '{"when": ["rsi < 30"]}')
    page.click("input[name=_save]")
    page.locator(".errorlist").first.wait_for()
    assert "rsi < 30" in page.locator(".errorlist").first.inner_text()
    assert visitor.complaints == []

"""Ideas in a real browser: what was decided and seen is read on one page, and a person approves from the list."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.urls import reverse

from friren.accounts import open_account
from friren.core.models import User
from portfolio_manager.data_logger import TradeIdeaService
from portfolio_manager.models import RiskConfig
from tests.factories import MONDAY

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.debian("chromium")]

NAME, PASSWORD = "ada", "correct horse battery staple"
IDEAS = reverse("admin:portfolio_manager_tradeidea_changelist")
SEEN = {
    "candles": [{"symbol": "AAPL", "timeframe": "1h", "open": Decimal("187.15"), "high": Decimal("188.44"),
                 "low": Decimal("183.88"), "close": Decimal("187.32")}],
    "indicators": [{"symbol": "AAPL", "timeframe": "1h", "rsi_14": 61.2, "sma_50": Decimal("185.1")}],
    "calendar": [{"event_time": MONDAY, "currency": "USD", "impact_level": "high", "title": "CPI m/m"}],
    "news": [{"headline": "Apple rises", "source": "Reuters", "published_at": MONDAY}],
}  # fmt: skip


def test_a_person_reads_an_idea_and_approves_it(browse) -> None:
    User.objects.create_superuser(NAME, password=PASSWORD)
    RiskConfig.load()
    RiskConfig.objects.update(ai_trading_enabled=True)
    ideas = TradeIdeaService(open_account("momentum", starting_cash=Decimal(100_000)))
    idea = ideas.propose(
        symbol="AAPL", direction="long", entry_price=Decimal("187.50"), stop_loss=180, take_profit=205, quantity=1,
        confidence_score=0.55, timestamp=MONDAY, rationale="momentum", expected_hold="5d", seen=SEEN,
    )  # fmt: skip
    ideas.evaluate(idea, timestamp=MONDAY)
    visitor = browse()
    page = visitor.page
    visitor.sign_in(NAME, PASSWORD)

    page.click("#content-main >> text=Trade ideas")
    page.click("#result_list tbody th a")
    page.locator(".friren-panel h2:text('Seen: account')").wait_for()
    panels = page.locator(".friren-panel h2").all_inner_texts()
    assert panels == [
        "Decisions", "Seen: candles", "Seen: indicators", "Seen: calendar", "Seen: news", "Seen: account",
    ]  # fmt: skip
    visitor.open(IDEAS)
    page.check("#result_list tbody input.action-select")
    page.select_option("select[name=action]", "approve")
    page.fill("input[name=reason]", "seen before")
    page.click("button[name=index]")
    page.wait_for_selector(".messagelist .success")
    assert page.locator(".messagelist").inner_text() == "1 idea approved."
    assert page.locator("#result_list .field-status").inner_text() == "approved for execution"
    page.click("#result_list tbody th a")
    page.locator(".friren-panel h2:text('Decisions')").wait_for()
    assert "seen before" in page.locator(".friren-panel").first.inner_text()
    assert visitor.complaints == []

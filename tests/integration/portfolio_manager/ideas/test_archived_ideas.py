"""Ideas that are over go to the archive with what was decided and seen; those that may still move stay."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal

import pytest

from friren.operations import audit
from friren.operations.archive.service import archive, unarchive
from friren.persistence.receipts import WriteOutcome
from portfolio_manager.data_logger import PortfolioTracker
from portfolio_manager.ideas.counterfactuals import evaluate_rejected
from portfolio_manager.models import AccountSnapshot, DecisionHistory, IdeaOutcome, RiskConfig, TradeIdea
from tests import postgres as harness
from trading_engine.models import CandleSnapshot
from trading_engine.services import TradeLogger

AUGUST = dt.datetime(2008, 8, 1, 20, tzinfo=dt.UTC)
IDEA = {
    "symbol": "SP500", "direction": "long", "entry_price": Decimal(1250), "quantity": 2, "confidence_score": 0.9,
    "timestamp": AUGUST, "expected_hold": "2w",
}  # fmt: skip
CANDLE = {"symbol": "SP500", "timeframe": "1d", "open": 1, "high": 3, "low": 1, "close": 2}
MODELS = (TradeIdea, DecisionHistory, IdeaOutcome, CandleSnapshot, AccountSnapshot)


@pytest.fixture(autouse=True)
def _no_archive_afterwards(database, tmp_path, settings) -> Iterator[None]:
    settings.FRIREN_AUDIT_HOME = tmp_path / "audit"
    yield
    with harness.admin_connection(settings.DATABASES["default"]["NAME"]) as admin:
        admin.execute("SET client_min_messages = warning")
        admin.execute("DROP SCHEMA IF EXISTS archive CASCADE")


def counts() -> list[int]:
    return [model.objects.count() for model in MODELS]


@pytest.mark.usefixtures("config", "bars")
def test_what_is_over_goes_whole_and_is_replayed_from_there(service) -> None:
    RiskConfig.objects.update(max_lot_size=1)
    over, waiting = (service.propose(**IDEA, seen={"candles": [CANDLE]}) for _ in range(2))
    assert service.evaluate(over, timestamp=AUGUST).status == "rejected"
    now = AUGUST + dt.timedelta(days=200)
    assert evaluate_rejected(now=now).evaluated == 1
    audit.seal()
    before, seen = counts(), service.replay(over)
    archive((), now=now)

    assert (before, counts()) == ([2, 3, 1, 2, 2], [1, 1, 0, 0, 0])
    assert TradeIdea.objects.get().id == waiting.id
    assert service.replay(over).candles == seen.candles
    assert service.replay(over).accounts == seen.accounts
    assert len(service.replay(over)) == 2
    assert audit.verify().ok
    # It is known there: neither told nor judged a second time.
    again = service.propose(**IDEA, seen={"candles": [CANDLE]}, idea_id=over.id)
    assert (again.outcome, counts()) == (WriteOutcome.DUPLICATE, [1, 1, 0, 0, 0])
    assert evaluate_rejected(now=now).evaluated == 0
    unarchive((), until=now)
    assert counts() == before
    assert audit.verify().ok


def test_what_an_archived_idea_earned_is_told_by_its_id(book, service, config) -> None:
    tracker = PortfolioTracker(book)
    idea = service.propose(**IDEA)
    service.evaluate(idea, timestamp=AUGUST)
    order = service.execute(idea, timestamp=AUGUST)
    common = {"symbol": "SP500", "quantity": 2, "timestamp": AUGUST}
    tracker.record_trade(**common, action="buy", price=1250, order=order.id)
    tracker.record_trade(**common, action="sell", price=1260)
    TradeLogger(book).update_order_status(order.id, "filled", timestamp=AUGUST)
    before = tracker.calculate_pnl(by="idea")
    archive((), now=AUGUST + dt.timedelta(days=200))

    assert TradeIdea.objects.count() == 0
    assert {key: pnl.realized for key, pnl in before.items()} == {str(idea.id): 20}
    after = tracker.calculate_pnl(by="idea")
    assert {key: pnl.realized for key, pnl in after.items()} == {str(idea.id): 20}

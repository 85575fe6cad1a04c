"""Many at once: an idea is decided once, and behind a halt there is no order."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

from django.db import connections

from friren.errors import InvalidTransitionError
from friren.operations import audit
from friren.persistence.receipts import WriteOutcome
from portfolio_manager.models import DecisionHistory, RiskConfig, TradeIdea
from tests.factories import MONDAY
from trading_engine.models import Order

THREADS, IDEAS = 6, 24
IDEA = {
    "symbol": "AAPL", "direction": "long", "entry_price": Decimal(187), "quantity": 1, "timestamp": MONDAY,
    "confidence_score": 0.9,
}  # fmt: skip


def at_once(calls):
    """Make calls on threads of their own; return what each gave, or raised."""

    def made(call):
        try:
            return call()
        except InvalidTransitionError as exc:
            return exc
        finally:
            connections.close_all()

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(made, calls))


def test_an_idea_that_many_evaluate_is_decided_once(service, config) -> None:
    idea = service.propose(**IDEA)
    receipts = at_once([lambda: service.evaluate(idea)] * THREADS)

    assert sorted(one.outcome for one in receipts) == [WriteOutcome.DUPLICATE] * (THREADS - 1) + [WriteOutcome.STORED]
    assert {one.status for one in receipts} == {"auto_executed"}
    assert DecisionHistory.objects.filter(trade_idea=idea.id).count() == 2


def test_the_last_place_is_given_to_one_idea(service, config) -> None:
    RiskConfig.objects.update(max_concurrent_trades=3)
    ideas = [service.propose(**IDEA) for _ in range(THREADS)]
    found = at_once([lambda idea=idea: service.evaluate(idea).status for idea in ideas])

    assert sorted(found) == ["auto_executed"] * 3 + ["rejected"] * 3


def test_behind_a_halt_there_is_no_order(service, config, settings, tmp_path) -> None:
    settings.FRIREN_AUDIT_HOME = tmp_path / "audit"
    RiskConfig.objects.update(max_concurrent_trades=1000)
    ideas = [service.propose(**IDEA) for _ in range(IDEAS)]

    def trade(idea):
        service.evaluate(idea)
        return service.execute(idea)

    calls = [lambda idea=idea: trade(idea) for idea in ideas]
    calls.insert(IDEAS // 2, lambda: service.halt("enough"))
    ended = at_once(calls)

    halt = DecisionHistory.objects.get(action="ai_halted", account=None)
    orders = list(Order.objects.values_list("recorded_seq", flat=True))
    assert orders
    assert max(orders) < halt.recorded_seq
    refused = [one for one in ended if isinstance(one, InvalidTransitionError)]
    assert len(orders) + len(refused) == IDEAS
    assert refused
    assert not TradeIdea.objects.filter(status="waiting").exists()
    audit.seal()
    assert audit.verify().ok

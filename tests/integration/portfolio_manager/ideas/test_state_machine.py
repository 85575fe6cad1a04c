"""Every edge of an idea's life: those that are drawn are written with their decision, all others store nothing."""

from __future__ import annotations

import datetime as dt
import itertools

import pytest
from django.db import IntegrityError, connection, transaction

from friren.errors import InvalidTransitionError, RejectedRecordError
from friren.operations.audit.moves import moved_unseen
from friren.persistence import handlers
from friren.persistence.receipts import WriteOutcome
from portfolio_manager.ideas.lifecycle import IDEA_MOVES
from portfolio_manager.ideas.moves import move_fact
from portfolio_manager.models import DecisionHistory, TradeIdea
from portfolio_manager.models.choices import DecisionAction, IdeaStatus
from tests.factories import MONDAY, DecisionHistoryFactory, TradeIdeaFactory

# As the design has it, written once more: the code's own table must not judge itself.
DRAWN = {
    ("waiting", "needs_approval", "ai_proposed"),
    ("waiting", "auto_executed", "ai_auto_executed"),
    ("waiting", "rejected", "risk_rejected"),
    ("waiting", "halted_by_risk", "ai_halted"),
    ("needs_approval", "auto_executed", "human_approved"),
    ("needs_approval", "rejected", "human_rejected"),
    ("needs_approval", "halted_by_risk", "ai_halted"),
    ("halted_by_risk", "waiting", "ai_resumed"),
}
EVERY = list(itertools.product(IdeaStatus.values, IdeaStatus.values, DecisionAction.values))


def put(idea, status: str) -> None:
    """Set a status behind everybody's back."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE portfolio_manager_tradeidea SET status = %s WHERE id = %s", [status, idea.pk])


def stored(idea):
    """All that a decision could change."""
    return list(TradeIdea.objects.filter(pk=idea.pk).values()), DecisionHistory.objects.count()


@pytest.fixture
def idea():
    decision = DecisionHistoryFactory()
    return TradeIdea.objects.select_related("symbol").get(pk=decision.trade_idea_id)


def test_the_machine_is_the_one_that_was_drawn() -> None:
    assert {(*edge, action) for edge, action in IDEA_MOVES.items()} == DRAWN


def test_every_edge_that_is_not_drawn_raises_and_stores_nothing(idea) -> None:
    refused = held = 0
    for start, wanted, action in EVERY:
        if (start, wanted, action) in DRAWN:
            continue
        put(idea, start)
        before = stored(idea)
        fact = move_fact(idea, action=action, to_status=wanted, at=MONDAY)
        if start == wanted:
            assert handlers.apply(fact, using="default").outcome is WriteOutcome.DUPLICATE
            held += 1
        else:
            with pytest.raises(InvalidTransitionError, match=f"can follow {start}; this is {action}"):
                handlers.apply(fact, using="default")
            refused += 1
        assert stored(idea) == before, (start, wanted, action)

    assert (refused, held) == (5 * 4 * 7 - len(DRAWN), 5 * 7)


@pytest.mark.parametrize(("start", "wanted", "action"), sorted(DRAWN))
def test_an_edge_that_is_drawn_is_written_with_its_decision(idea, start, wanted, action) -> None:
    put(idea, start)
    fact = move_fact(idea, action=action, to_status=wanted, at=MONDAY, rationale="why")

    assert handlers.apply(fact, using="default").outcome is WriteOutcome.STORED
    idea.refresh_from_db()
    decision = DecisionHistory.objects.get(pk=fact.id)
    assert (idea.status, decision.from_status, decision.to_status, decision.action) == (wanted, start, wanted, action)
    assert (decision.symbol_id, decision.confidence_score) == (idea.symbol_id, idea.confidence_score)
    assert decision.human_override is action.startswith("human_")
    assert (idea.reviewed_at == MONDAY) is decision.human_override
    # Told again, after the idea has moved on, it is what it was.
    put(idea, "rejected")
    assert handlers.apply(fact, using="default").outcome is WriteOutcome.DUPLICATE
    assert TradeIdea.objects.get(pk=idea.pk).status == "rejected"


def test_a_status_that_no_decision_tells_of_is_found_by_the_audit(idea) -> None:
    with transaction.atomic():
        assert list(moved_unseen("default")) == []
    put(idea, "auto_executed")

    with transaction.atomic():
        (fault,) = moved_unseen("default")
    assert (fault.id, fault.column) == (str(idea.pk), "status")
    assert "status is auto_executed, and its events say waiting" in fault.what


def test_a_note_about_an_idea_moves_nothing(idea) -> None:
    DecisionHistoryFactory(trade_idea=idea, action="ai_halted", to_status="", occurred_at=MONDAY)

    assert TradeIdea.objects.get(pk=idea.pk).status == "waiting"
    with transaction.atomic():
        assert list(moved_unseen("default")) == []


def test_a_decision_of_another_account_does_not_reach_the_idea(idea) -> None:
    other = TradeIdeaFactory()
    fact = move_fact(idea, action="ai_proposed", to_status="needs_approval", at=MONDAY)
    stolen = type(fact)(kind=fact.kind, id=fact.id, values={**fact.values, "account": other.account_id})

    with pytest.raises(RejectedRecordError, match="is not stored in this account"):
        handlers.apply(stolen, using="default")


def test_of_two_decisions_that_say_the_same_the_second_finds_it_said(idea) -> None:
    outcomes = [
        handlers.apply(
            move_fact(idea, action="ai_proposed", to_status="needs_approval", at=MONDAY + dt.timedelta(seconds=second)),
            using="default",
        ).outcome
        for second in range(2)
    ]

    assert outcomes == [WriteOutcome.STORED, WriteOutcome.DUPLICATE]
    assert DecisionHistory.objects.filter(to_status="needs_approval").count() == 1


@pytest.mark.parametrize(("table", "column"), [("tradeidea", "status"), ("decisionhistory", "action")])
def test_the_database_knows_the_lists_too(idea, table, column) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        with pytest.raises(IntegrityError), transaction.atomic():
            cursor.execute(f"UPDATE portfolio_manager_{table} SET {column} = 'another'")

"""Ideas under approval: proposed, put before the risk gate, approved or rejected, and executed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any, Final, TypeVar
from uuid import UUID

from django.utils import timezone

from friren.core.ids import new_id
from friren.errors import RejectedRecordError
from friren.persistence import checks
from friren.persistence.facts import Fact, make_fact, spec_of
from friren.persistence.receipts import Receipt, WriteOutcome
from portfolio_manager.booking.figures import account_figures
from portfolio_manager.data_logger.idea_reads import IdeaReads
from portfolio_manager.ideas.evaluation import IdeaReceipt, evaluate_idea, execute_idea, order_id_of
from portfolio_manager.ideas.facts import (
    IDEA_PARAMETERS,
    account_fact,
    idea_fact,
    proposal_fact,
    ref_of,
    seen_facts,
    told_as,
)
from portfolio_manager.ideas.fills import IDEA_FILL
from portfolio_manager.ideas.moves import move_fact, switch_fact
from portfolio_manager.models import DecisionHistory, TradeIdea
from portfolio_manager.models.choices import DecisionAction, IdeaStatus
from trading_engine.models import Order
from trading_engine.snapshot_series import prepare_months

__all__ = ["IdeaReceipt", "TradeIdeaService"]

Result = TypeVar("Result")
ORDER_DETAILS: Final = ("type", "limit_price", "time_in_force")


class TradeIdeaService(IdeaReads):
    """
    The approval of one account's ideas.

    Every move writes its decision in the same transaction; a move to the status already held is a DUPLICATE, one that
    the state machine does not have an InvalidTransitionError. Halting and resuming concern the ideas of all accounts.
    """

    def propose(
        self,
        *,
        symbol: Any,
        direction: str,
        confidence_score: float | Decimal,
        timestamp: dt.datetime,
        entry_price: Decimal | int | None = None,
        entry_range: tuple[Decimal | int, Decimal | int] | None = None,
        stop_loss: Decimal | int | None = None,
        take_profit: Decimal | int | None = None,
        quantity: Decimal | int | None = None,
        expected_hold: str | None = None,
        rationale: str | None = None,
        strategy: Any = None,
        snapshot_ref: UUID | None = None,
        seen: Any = None,
        idea_id: UUID | str | None = None,
    ) -> Receipt:
        """
        Store an idea, what was seen with it and the decision to propose it: all of it or nothing.

        Args:
            symbol: ticker, (ticker, venue) or Symbol.
            direction: long or short.
            confidence_score: 0 to 1.
            timestamp: when it was proposed, and what was seen captured, aware.
            entry_price: where to enter; or entry_range: (low, high).
            stop_loss, take_profit: of a long idea below and above one another, of a short one the other way round.
            quantity: units; None: `execute` says it.
            expected_hold: how long, as "5d", "4h" or ISO 8601; other words are kept too.
            strategy: row or id of a Strategy.
            snapshot_ref: of rows that a SnapshotLogger stored already; made from the id unless given.
            seen: what the system saw, see `ideas.facts.Seen`. The account is added as it stands in the books; while the
                database is away it is left out unless it is told.
            idea_id: a UUID; made when None.

        Returns:
            The outcome, with the id of the idea.

        Raises:
            RejectedRecordError: a value breaks a rule; nothing was stored.
            KeyReusedError: the id is another idea's.
        """
        self.recorder.refuse_closed()
        key = new_id() if idea_id is None else checks.check_uuid("idea_id", idea_id)
        at = checks.check_time("timestamp", timestamp)
        ref = ref_of(key) if snapshot_ref is None else checks.check_uuid("snapshot_ref", snapshot_ref)
        fact = idea_fact(
            self.account, key=key, symbol=symbol, direction=direction, entry_price=entry_price,
            entry_range=entry_range, stop_loss=stop_loss, take_profit=take_profit, quantity=quantity,
            expected_hold=expected_hold, rationale=rationale, confidence_score=confidence_score, strategy=strategy,
            snapshot_ref=ref, proposed_at=at,
        )  # fmt: skip
        rows = seen_facts(self.account, seen, snapshot_ref=ref, captured_at=at)
        if not any(row.kind == "account_snapshot" for row in rows):
            stands = self.recorder.derive(partial(self._stands, key))
            rows += [account_fact(self.account, stands, snapshot_ref=ref, captured_at=at)] if stands else []
        prepare_months(self.recorder, rows)
        facts = [fact, proposal_fact(fact), *rows]
        return told_as(lambda: self.recorder.record_all(facts)[0], {**IDEA_PARAMETERS, "rationale": "rationale"})

    def evaluate(self, idea: Any, *, timestamp: dt.datetime | None = None) -> IdeaReceipt:
        """
        Put a waiting idea before the risk gate, which approves, escalates, rejects or halts it.

        A drawdown or a profit target that is reached halts trading in all books.

        Args:
            idea: id, receipt or row.
            timestamp: when, aware; now unless given. Its day is the one whose profit counts.

        Returns:
            STORED with the idea's new status and the rules it breaks, DUPLICATE with its status when it waits no more.
            DEFERRED while the database is away: nothing was decided, call again.

        Raises:
            RejectedRecordError: the idea is not stored in this account.
        """
        key, at = self._asked(idea, timestamp)
        done = self._decided(lambda alias: evaluate_idea(key, self.account, at=at, using=alias))
        return IdeaReceipt(key, WriteOutcome.DEFERRED, synced=False) if done is None else done

    def approve(
        self, idea: Any, *, reviewer: Any, reason: str | None = None, timestamp: dt.datetime | None = None
    ) -> Receipt:
        """
        Approve an idea that needs a person.

        Args:
            idea: id, receipt or row.
            reviewer: row or id of the user.
            reason: why.
            timestamp: when, aware; now unless given.

        Returns:
            The outcome, with the id of the idea.

        Raises:
            InvalidTransitionError: it does not wait for a person.
            RejectedRecordError: the idea is not stored in this account, or there is no such user.
        """
        verdict = (DecisionAction.HUMAN_APPROVED, IdeaStatus.AUTO_EXECUTED)
        return self._reviewed(idea, verdict, reviewer=reviewer, reason=reason, timestamp=timestamp)

    def reject(self, idea: Any, *, reviewer: Any, reason: str, timestamp: dt.datetime | None = None) -> Receipt:
        """Reject an idea that needs a person, for a reason that is kept. Otherwise as `approve`."""
        why = checks.check_text("reason", reason, blank=False)
        verdict = (DecisionAction.HUMAN_REJECTED, IdeaStatus.REJECTED)
        return self._reviewed(idea, verdict, reviewer=reviewer, reason=why, timestamp=timestamp)

    def halt(self, reason: str, *, actor: Any = None, timestamp: dt.datetime | None = None) -> Receipt:
        """
        Stop trading without a person in all books: the switch is turned off, and every active idea halted.

        Args:
            reason: kept as `last_halt_reason`.
            actor: row or id of the user who halts; None for the system.
            timestamp: when, aware; now unless given.

        Returns:
            The outcome, with the id of the decision; DUPLICATE when trading is halted and no idea active.
        """
        why = checks.check_text("reason", reason, blank=False)
        return self._switch(DecisionAction.AI_HALTED, why, actor, timestamp)

    def resume(self, *, reason: str = "", actor: Any = None, timestamp: dt.datetime | None = None) -> Receipt:
        """Let trading go on in all books: halted ideas wait again, to be evaluated anew. Otherwise as `halt`."""
        return self._switch(DecisionAction.AI_RESUMED, checks.check_text("reason", reason), actor, timestamp)

    def execute(
        self,
        idea: Any,
        *,
        quantity: Decimal | int | None = None,
        type: str | None = None,  # noqa: A002 - the column's name
        limit_price: Decimal | int | None = None,
        time_in_force: str | None = None,
        timestamp: dt.datetime | None = None,
    ) -> Receipt:
        """
        Store the order of an approved idea, before it is sent. Its id is the client order id to send with it.

        Args:
            idea: id, receipt or row.
            quantity: units; the idea's own unless given.
            type, limit_price, time_in_force: as for `TradeLogger.log_order`; MARKET unless said.
            timestamp: when it was decided, aware; now unless given.

        Returns:
            STORED or DUPLICATE, with the id of the order. DEFERRED while the database is away: then nothing may be
            sent, for nobody knows whether trading is halted.

        Raises:
            InvalidTransitionError: the idea is not approved, or trading is halted, or is halted by this very call
                for a drawdown or a target.
            RejectedRecordError: the idea is not stored in this account, or a value breaks a rule or a limit.
        """
        key, at = self._asked(idea, timestamp)
        fields = spec_of(Order).fields
        told = {"type": type, "limit_price": limit_price, "time_in_force": time_in_force}
        details = {name: fields[name].check(name, told[name]) for name in ORDER_DETAILS if told[name] is not None}
        size = None if quantity is None else fields["quantity"].check("quantity", quantity)
        done = self._decided(
            lambda alias: execute_idea(key, self.account, at=at, quantity=size, details=details, using=alias)
        )
        return Receipt(order_id_of(key), WriteOutcome.DEFERRED, synced=False) if done is None else done

    def mark_filled(self, idea: Any, trade: Any, *, timestamp: dt.datetime | None = None) -> Receipt:
        """
        Note which fill an executed idea led to. Doing it again is a DUPLICATE.

        Args:
            idea, trade: id, receipt or row, of this account.
            timestamp: when, aware; now unless given.

        Raises:
            InvalidTransitionError: it is marked with another trade, or the trade belongs to another idea, or the idea
                was not approved.
            RejectedRecordError: idea or trade is not stored in this account.
        """
        key, at = self._asked(idea, timestamp)
        trade_id = checks.check_uuid("trade", getattr(trade, "id", trade))
        values = {"account": self.account.id, "trade": trade_id, "at": at}
        return self.recorder.record(Fact(kind=IDEA_FILL, id=key, values=values))

    def _asked(self, idea: Any, timestamp: dt.datetime | None) -> tuple[UUID, dt.datetime]:
        self.recorder.refuse_closed()
        key = checks.check_uuid("idea", getattr(idea, "id", idea))
        return key, timezone.now() if timestamp is None else checks.check_time("timestamp", timestamp)

    def _stands(self, key: UUID, alias: str) -> dict[str, Any]:
        """Return how the account stands; nothing where the idea is stored, for then that was then."""
        if TradeIdea.objects.using(alias).filter(pk=key).exists():
            return {}
        return account_figures(self.account.id, using=alias)

    def _stored(self, key: UUID, alias: str) -> list[TradeIdea]:
        ideas = TradeIdea.objects.using(alias).filter(pk=key, account=self.account.id)
        return list(ideas.select_related("symbol"))

    def _decided(self, work: Callable[[str], Result]) -> Result | None:
        """Return what `work` decides on stored rows; None while they cannot be asked."""
        self.recorder.settle()
        # What is asked about may still be on its way; asked before, for by the time of the refusal it may be stored.
        on_its_way = self.recorder.backlog > 0
        try:
            return told_as(lambda: self.recorder.derive(work), IDEA_PARAMETERS)
        except RejectedRecordError as exc:
            if on_its_way and exc.field == "idea" and exc.rule.startswith("is not stored"):
                return None
            raise

    def _reviewed(
        self, idea: Any, verdict: tuple[str, str], *, reviewer: Any, reason: str | None, timestamp: dt.datetime | None
    ) -> Receipt:
        key, at = self._asked(idea, timestamp)
        if reviewer is None:
            raise RejectedRecordError("reviewer", None, "is required")
        told = {"action": verdict[0], "to_status": verdict[1], "rationale": reason, "actor": reviewer}
        found: list[TradeIdea] | None = self.recorder.derive(partial(self._stored, key))

        def review() -> Receipt:
            # While the idea cannot be read the decision says what its maker knows; its idea has the rest.
            fact = move_fact(found[0], at=at, **told) if found else make_fact(
                DecisionHistory, account=self.account.id, occurred_at=at, trade_idea=key, human_override=True, **told
            )  # fmt: skip
            receipt = self.recorder.record(fact)
            return Receipt(key, receipt.outcome, receipt.synced)

        return told_as(review, IDEA_PARAMETERS)

    def _switch(self, action: str, reason: str, actor: Any, timestamp: dt.datetime | None) -> Receipt:
        self.recorder.refuse_closed()
        at = timezone.now() if timestamp is None else checks.check_time("timestamp", timestamp)
        parameters = {**IDEA_PARAMETERS, "actor": "actor"}
        return told_as(lambda: self.recorder.record(switch_fact(action, at=at, reason=reason, actor=actor)), parameters)

"""Record decisions, and read what was decided."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from friren.errors import RejectedRecordError
from friren.persistence import checks
from friren.persistence.facts import spec_of
from friren.persistence.reads import newest_first
from friren.persistence.receipts import Receipt, Rows
from portfolio_manager.models import DecisionHistory
from trading_engine.services.base import AccountService
from trading_engine.symbols import rows_of_symbol

__all__ = ["DecisionLogger"]

# What callers call these columns.
DECISION_PARAMETERS: Final = {"id": "decision_id", "occurred_at": "timestamp", "trade_idea": "idea"}


class DecisionLogger(AccountService):
    """
    Records what was decided for one account's books, and why.

    A decision logged here is a note: it moves nothing. Those that move an idea, or halt trading, are made by
    `TradeIdeaService`, with the move.
    """

    def log_decision(
        self,
        *,
        action: str,
        timestamp: dt.datetime,
        symbol: Any = None,
        rationale: str | None = None,
        confidence_score: float | Decimal | None = None,
        risk_check_result: dict[str, Any] | None = None,
        strategy: Any = None,
        idea: Any = None,
        snapshot_ref: UUID | None = None,
        human_override: bool | None = None,
        actor: Any = None,
        decision_id: UUID | str | None = None,
    ) -> Receipt:
        """
        Store a decision.

        Args:
            action: ai_proposed, ai_auto_executed, human_approved, human_rejected, risk_rejected, ai_halted, ai_resumed.
            timestamp: when it was made, aware.
            symbol: ticker, (ticker, venue) or Symbol.
            confidence_score: 0 to 1.
            risk_check_result: what the risk gate said, JSON.
            strategy: row or id of a Strategy.
            idea: id, receipt or row of an idea of this account that it is about.
            human_override: a person decided otherwise than the system would.
            actor: row or id of the user.
            decision_id: a UUID; made when None.

        Raises:
            RejectedRecordError: a value breaks a rule; nothing was stored.
            KeyReusedError: the id is another decision's.
        """
        key = None if decision_id is None else checks.check_uuid("decision_id", decision_id)
        try:
            return self._record(
                DecisionHistory, id=key, account=self.account.id, occurred_at=checks.check_time("timestamp", timestamp),
                action=action, symbol=symbol, rationale=rationale, confidence_score=confidence_score,
                risk_check_result=risk_check_result, strategy=strategy, trade_idea=idea, snapshot_ref=snapshot_ref,
                human_override=human_override, actor=actor,
            )  # fmt: skip
        except RejectedRecordError as exc:
            raise exc.named(DECISION_PARAMETERS) from exc

    def get_decision_history(
        self,
        symbol: Any = None,
        *,
        action: str | None = None,
        strategy: Any = None,
        idea: Any = None,
        start: dt.datetime | None = None,
        end: dt.datetime | None = None,
        limit: int = 100,
        after: Any = None,
        include_archive: bool = False,
    ) -> Rows[Any]:
        """
        Return decisions of this account, newest first.

        Args:
            symbol: ticker or (ticker, venue); all when None.
            strategy: row or id of a Strategy.
            idea: id, receipt or row of an idea.
            start, end: bounds of the time, aware; start included, end not.
            limit: rows at most, 1 to 100000.
            after: `next` of the page before.
            include_archive: also what was archived.

        Raises:
            RejectedRecordError: an argument breaks a rule.
        """
        fields = spec_of(DecisionHistory).fields
        rows = DecisionHistory.objects.using(self.using).filter(account=self.account.id)
        if symbol is not None:
            rows = rows_of_symbol(rows, symbol)
        if action is not None:
            rows = rows.filter(action=fields["action"].check("action", action))
        if strategy is not None:
            rows = rows.filter(strategy=fields["strategy"].check("strategy", strategy))
        if idea is not None:
            rows = rows.filter(trade_idea=fields["trade_idea"].check("idea", idea))
        return newest_first(
            rows,
            time="occurred_at",
            start=start,
            end=end,
            limit=limit,
            after=after,
            include_archive=include_archive,
        )

"""The reading side of `TradeIdeaService`: ideas, and what was seen with them."""

from __future__ import annotations

import datetime as dt
from typing import Any

from friren.persistence import checks
from friren.persistence.facts import spec_of
from friren.persistence.reads import newest_first
from friren.persistence.receipts import Rows
from portfolio_manager.ideas.facts import ref_of
from portfolio_manager.ideas.replay import Replay, read_replay
from portfolio_manager.models import TradeIdea
from trading_engine.services.base import AccountService
from trading_engine.symbols import rows_of_symbol

__all__ = ["IdeaReads"]


class IdeaReads(AccountService):
    """What `TradeIdeaService` reads."""

    def replay(self, idea: Any) -> Replay | None:
        """
        Return what the system saw when it proposed an idea, as it was captured.

        Args:
            idea: id, receipt or row.

        Returns:
            The five snapshots, with `as_of` and `stale`; None when there is no such idea in this account.
        """
        key = checks.check_uuid("idea", getattr(idea, "id", idea))
        found = newest_first(self._ideas().filter(pk=key), time="proposed_at", limit=1, include_archive=True)
        if found.as_of is None:
            return read_replay(ref_of(key), using=self.using)
        return read_replay(found[0].snapshot_ref, using=self.using) if found else None

    def get_active_ideas(self, *, limit: int = 100, after: Any = None) -> Rows[Any]:
        """Return the ideas that wait for the gate or for a person, newest first."""
        return newest_first(self._ideas().active(), time="proposed_at", limit=limit, after=after)

    def get_idea_history(
        self,
        symbol: Any = None,
        *,
        status: str | None = None,
        start: dt.datetime | None = None,
        end: dt.datetime | None = None,
        limit: int = 100,
        after: Any = None,
        include_archive: bool = False,
    ) -> Rows[Any]:
        """
        Return ideas of this account, newest first; other parameters and errors as for `get_trade_history`.

        Args:
            include_archive: also what was archived.
        """
        ideas = self._ideas()
        if symbol is not None:
            ideas = rows_of_symbol(ideas, symbol)
        if status is not None:
            ideas = ideas.filter(status=spec_of(TradeIdea).fields["status"].check("status", status))
        return newest_first(
            ideas,
            time="proposed_at",
            start=start,
            end=end,
            limit=limit,
            after=after,
            include_archive=include_archive,
        )

    def _ideas(self) -> Any:
        return TradeIdea.objects.using(self.using).filter(account=self.account.id)

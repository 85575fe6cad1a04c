"""Take snapshots of a book: how it stands, within a day and day by day."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

from friren.core.numbers import CONTEXT
from friren.errors import RejectedRecordError
from friren.persistence import checks
from friren.persistence.facts import spec_of
from friren.persistence.reads import newest_first
from friren.persistence.receipts import Receipt, Rows, WriteOutcome
from portfolio_manager.book_snapshots import book_snapshot, snapshot_id
from portfolio_manager.booking import catch_up
from portfolio_manager.booking.figures import book_figures
from portfolio_manager.booking.later import book_later
from portfolio_manager.booking.reads import is_pending
from portfolio_manager.ideas.facts import account_fact
from portfolio_manager.models import PortfolioSnapshot
from portfolio_manager.models.choices import SnapshotKind
from trading_engine.services.base import AccountService
from trading_engine.snapshot_series import prepare_months

__all__ = ["PortfolioSnapshotter"]


class PortfolioSnapshotter(AccountService):
    """
    Keeps how one account's book stood. Money is in its base currency, at the last marks (see `mark_to_market`);
    positions in other currencies are in no figure, and one without a mark counts at its cost.
    """

    def snapshot(self, at: dt.datetime) -> Receipt:
        """
        Work out how the book stands, and store it as an INTRADAY snapshot.

        Args:
            at: the moment it is stored under, aware; the books are taken as they are now.

        Returns:
            STORED, or DUPLICATE when it is stored already. DEFERRED while the database is away: nothing was worked
            out, call again.

        Raises:
            KeyReusedError: another snapshot is stored for this moment.
            RejectedRecordError: `at` is no moment.
        """
        return self._taken(SnapshotKind.INTRADAY, at)

    def create_daily_portfolio_snapshot(self, at: dt.datetime) -> Receipt:
        """
        Store how the book stands as that of the day of `at`, in the account's time zone; the newest of a day stays.

        Parameters, outcomes and errors as for `snapshot`.
        """
        return self._taken(SnapshotKind.DAILY, at)

    def log_account_snapshot(
        self,
        *,
        captured_at: dt.datetime,
        balance: Decimal | int,
        equity: Decimal | int,
        margin_used: Decimal | int | None = None,
        margin_free: Decimal | int | None = None,
        open_pl: Decimal | int | None = None,
        open_positions: int | None = None,
        snapshot_ref: UUID | None = None,
    ) -> Receipt:
        """
        Store how the account stood as the system saw it before it decided; the fifth kind beside `SnapshotLogger`'s.

        Args:
            captured_at: when it was seen, aware.
            snapshot_ref: of the decision that it was seen for.

        Raises:
            RejectedRecordError: a value breaks a rule; nothing was stored.
            KeyReusedError: another one is stored for this moment and decision.
        """
        self.recorder.refuse_closed()
        told = {
            "balance": balance, "equity": equity, "margin_used": margin_used, "margin_free": margin_free,
            "open_pl": open_pl, "open_positions": open_positions,
        }  # fmt: skip
        try:
            fact = account_fact(self.account, told, snapshot_ref=snapshot_ref, captured_at=captured_at)
        except RejectedRecordError as exc:
            raise exc.named({exc.field: exc.field.removeprefix("seen.account.")}) from exc
        prepare_months(self.recorder, [fact])
        return self.recorder.record(fact)

    def get_snapshot_history(
        self,
        *,
        kind: str | None = None,
        start: dt.datetime | None = None,
        end: dt.datetime | None = None,
        limit: int = 100,
        after: Any = None,
    ) -> Rows[Any]:
        """
        Return snapshots of this account, newest first; parameters and errors as for `get_trade_history`.

        Args:
            kind: INTRADAY, DAILY or ACCOUNT_TOTALS; all when None.
        """
        rows = PortfolioSnapshot.objects.using(self.using).filter(account=self.account.id)
        if kind is not None:
            rows = rows.filter(kind=spec_of(PortfolioSnapshot).fields["kind"].check("kind", kind))
        return newest_first(rows, time="timestamp", start=start, end=end, limit=limit, after=after)

    def _taken(self, kind: str, at: dt.datetime) -> Receipt:
        self.recorder.refuse_closed()
        moment = checks.check_time("at", at)
        day = self._day(moment) if kind == SnapshotKind.DAILY else None
        figures = self.recorder.derive(partial(self._figures, self.account.id))
        if figures is None:
            if self.recorder.reachable:
                book_later(self.account.id, using=self.using)
            point = moment if day is None else day
            return Receipt(snapshot_id(self.account.id, kind, point), WriteOutcome.DEFERRED, synced=False)
        try:
            return self.recorder.record(book_snapshot(self.account, kind=kind, at=moment, day=day, figures=figures))
        except RejectedRecordError as exc:
            raise exc.named({"timestamp": "at"}) from exc

    def _day(self, moment: dt.datetime) -> dt.date:
        try:
            return moment.astimezone(zoneinfo.ZoneInfo(self.account.timezone)).date()
        except OverflowError as exc:
            rule = "must lie within the years 1 to 9999 in the account's time zone"
            raise RejectedRecordError("at", moment, rule) from exc

    @staticmethod
    def _figures(account: UUID, alias: str) -> Mapping[str, Any]:
        if is_pending(account, using=alias):
            catch_up(account, using=alias)
        found = book_figures(account, using=alias)
        return {
            "balance": found.balance, "total_invested": found.invested, "total_value": found.value,
            "total_profit_loss": CONTEXT.add(found.realized, found.unrealized), "open_positions": found.open_positions,
            "trade_count": found.trade_count, "realized_pnl": found.realized, "total_margin": found.margin,
            "total_unrealized_pnl": found.unrealized, "total_commission": found.commission,
        }  # fmt: skip

"""Record the daily risk of a book: one row per account and day, the newest reading wins."""

from __future__ import annotations

import contextlib
import datetime as dt
import zoneinfo
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError, transaction

from friren.core.ids import natural_id
from friren.core.numbers import CONTEXT, ZERO
from friren.errors import RejectedRecordError
from friren.persistence import checks
from friren.persistence.audit import record_change
from friren.persistence.handlers import one_commit
from friren.persistence.reads import newest_first
from friren.persistence.receipts import BulkReceipt, Receipt, Rows, WriteOutcome
from friren.persistence.values import checked_values
from portfolio_manager import risk
from portfolio_manager.booking import catch_up
from portfolio_manager.booking.reads import is_pending
from portfolio_manager.models import AccountState, Position, RiskMetrics
from portfolio_manager.models.choices import PositionStatus
from trading_engine.models import Price
from trading_engine.models.choices import InstrumentType
from trading_engine.services.base import AccountService

__all__ = ["RiskLogger"]

FIGURES: Final = (
    "timestamp", "portfolio_value", "total_exposure", "max_position_size", "correlation_risk", "var_estimate",
)  # fmt: skip
RISK_KEYWORDS: Final = frozenset(FIGURES)
# A year of days for the tail of the book's returns; three months for how its holdings move together.
VALUE_DAYS: Final = 252
CORRELATION_DAYS: Final = 63


class RiskLogger(AccountService):
    """Records the risk of one account's book, day by day."""

    def log_risk_metrics(
        self,
        *,
        timestamp: dt.datetime,
        portfolio_value: Decimal | int,
        total_exposure: Decimal | int,
        max_position_size: Decimal | int | None = None,
        correlation_risk: float | Decimal | None = None,
        var_estimate: Decimal | int | None = None,
    ) -> Receipt:
        """
        Store the risk figures of a day; the day is that of `timestamp` in the account's time zone.

        Args:
            timestamp: when they were taken, aware. Of two readings of one day the newer stays.
            portfolio_value, total_exposure, max_position_size, var_estimate: money, in the base currency.
            correlation_risk: mean correlation of what is held.

        Returns:
            STORED, or DUPLICATE when the day has this reading already, or a newer one.

        Raises:
            RejectedRecordError: a value breaks a rule; nothing was stored.
        """
        values = self._checked(
            timestamp=timestamp,
            portfolio_value=portfolio_value,
            total_exposure=total_exposure,
            max_position_size=max_position_size,
            correlation_risk=correlation_risk,
            var_estimate=var_estimate,
        )
        self.recorder.refuse_closed()
        with one_commit(self.using):
            return self._store(values)

    def bulk_log(self, days: Iterable[Mapping[str, Any]]) -> BulkReceipt:
        """
        Store the figures of many days in one commit, each given as the keywords of `log_risk_metrics`.

        Returns:
            How many days were stored and were there already, and (index, error) of those refused.
        """
        rejected: list[tuple[int, RejectedRecordError]] = []
        good: list[dict[str, Any]] = []
        for index, day in enumerate(days):
            try:
                told = checks.check_record("day", day, known=RISK_KEYWORDS, of="log_risk_metrics")
                good.append(self._checked(**{**dict.fromkeys(FIGURES), **told}))
            except RejectedRecordError as exc:
                rejected.append((index, exc))
        self.recorder.refuse_closed()
        with one_commit(self.using):
            # Days are locked in the order of their ids, so two writers never wait for one another.
            ordered = sorted(good, key=lambda values: (values["id"], values["timestamp"]))
            left = self._insert_new(ordered)
            stored = len(ordered) - len(left)
            for values in left:
                stored += self._store(values).outcome is WriteOutcome.STORED
        return BulkReceipt(stored, len(good) - stored, rejected)

    def compute(self, at: dt.datetime) -> Receipt:
        """
        Work out the figures from the books as they are marked now, and store them for the day of `at`.

        What is not booked yet is booked before.

        Value: cash in the base currency and the marked values of open positions (of leveraged ones their
        unrealised profit). Value at risk: historical, 95 %, over the daily values of a year. Correlation:
        mean over pairs of held symbols, from three months of stored daily closes.

        Args:
            at: aware; prices and values after it are not looked at.

        Raises:
            RejectedRecordError: an open position was never marked (see `PortfolioTracker.mark_to_market`).
        """
        self.recorder.refuse_closed()
        moment = checks.check_time("at", at)
        if is_pending(self.account.id, using=self.using):
            catch_up(self.account.id, using=self.using)
        held = Position.objects.using(self.using).filter(account=self.account.id, status=PositionStatus.OPEN)
        values: list[Decimal] = []
        worth = AccountState.objects.using(self.using).filter(account=self.account.id).first()
        total = worth.balance if worth is not None else ZERO
        for position in held:
            if position.current_value is None:
                raise RejectedRecordError("position", position.id, "was never marked to market; mark it first")
            values.append(position.current_value)
            leveraged = position.instrument_type == InstrumentType.LEVERAGED
            total = CONTEXT.add(total, position.unrealized_pnl if leveraged else position.current_value)
        history = self._daily_values(moment)
        return self.log_risk_metrics(
            timestamp=moment,
            portfolio_value=total,
            total_exposure=risk.gross_exposure(values),
            max_position_size=risk.largest_position(values),
            correlation_risk=risk.correlation_risk(self._moves(held, moment)),
            var_estimate=risk.value_at_risk_amount(risk.returns_of([*history, total]), total),
        )

    def get_risk_history(
        self, *, start: dt.datetime | None = None, end: dt.datetime | None = None, limit: int = 100, after: Any = None
    ) -> Rows[Any]:
        """Return the days of this account, newest first; parameters and errors as for `get_trade_history`."""
        days = RiskMetrics.objects.using(self.using).filter(account=self.account.id)
        return newest_first(days, time="timestamp", start=start, end=end, limit=limit, after=after)

    def _checked(self, *, timestamp: Any, **figures: Any) -> dict[str, Any]:
        moment = checks.check_time("timestamp", timestamp)
        try:
            day = moment.astimezone(zoneinfo.ZoneInfo(self.account.timezone)).date()
        except OverflowError as exc:
            rule = "must lie within the years 1 to 9999 in the account's time zone"
            raise RejectedRecordError("timestamp", timestamp, rule) from exc
        values = checked_values(RiskMetrics, account=self.account.id, timestamp=moment, as_of_date=day, **figures)
        return {"id": natural_id("risk_metrics", self.account.id, day), **values}

    def _insert_new(self, ordered: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Insert the days that have no reading yet, all at once; return the readings that are left."""
        first: dict[UUID, dict[str, Any]] = {}
        for values in ordered:
            first.setdefault(values["id"], values)
        days = RiskMetrics.objects.using(self.using)
        known = set(days.filter(id__in=first).values_list("id", flat=True))
        new = [values for key, values in first.items() if key not in known]
        try:
            with transaction.atomic(using=self.using):
                days.bulk_create([RiskMetrics(**values) for values in new])
        except IntegrityError:
            # Another writer was first with one of the days: then one by one.
            return list(ordered)
        inserted = {id(values) for values in new}
        return [values for values in ordered if id(values) not in inserted]

    def _store(self, values: dict[str, Any]) -> Receipt:
        days = RiskMetrics.objects.using(self.using)
        row = days.select_for_update(no_key=True).filter(id=values["id"]).first()
        if row is None:
            # Two writers may have the first reading of a day: the second waits here and then finds a row.
            with contextlib.suppress(IntegrityError), transaction.atomic(using=self.using):
                RiskMetrics(**values).save(using=self.using, force_insert=True)
                return Receipt(values["id"], WriteOutcome.STORED)
            row = days.select_for_update(no_key=True).get(id=values["id"])
        before = {name: getattr(row, name) for name in FIGURES}
        after = {name: values[name] for name in FIGURES}
        if values["timestamp"] < row.timestamp or after == before:
            return Receipt(row.id, WriteOutcome.DUPLICATE)
        for name, value in after.items():
            setattr(row, name, value)
        row.save(using=self.using)
        record_change(row, before=before, after=after, account=self.account.id, action="UPDATE", using=self.using)
        return Receipt(row.id, WriteOutcome.STORED)

    def _daily_values(self, until: dt.datetime) -> list[Decimal]:
        days = RiskMetrics.objects.using(self.using).filter(account=self.account.id, timestamp__lt=until)
        newest = days.order_by("-timestamp").values_list("portfolio_value", flat=True)[:VALUE_DAYS]
        return list(reversed(newest))

    def _moves(self, held: Iterable[Position], until: dt.datetime) -> dict[str, list[float]]:
        """Return the daily returns of the symbols held, oldest first."""
        symbols = {position.symbol_id for position in held if position.symbol_id is not None}
        since = until - dt.timedelta(days=2 * CORRELATION_DAYS)
        moves = {}
        for symbol in sorted(symbols):
            closes = Price.objects.using(self.using).filter(
                symbol=symbol, timeframe="1d", timestamp__gte=since, timestamp__lte=until
            )
            newest = closes.order_by("-timestamp").values_list("close", flat=True)[: CORRELATION_DAYS + 1]
            moves[str(symbol)] = risk.returns_of(list(reversed(newest)))
        return moves

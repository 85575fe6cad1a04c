"""Record the daily risk of a book: one row per account and day, the newest reading wins."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any, Final

from friren.core.numbers import CONTEXT, ZERO
from friren.errors import RejectedRecordError
from friren.persistence import checks
from friren.persistence.facts import Fact
from friren.persistence.reads import newest_first
from friren.persistence.receipts import BulkReceipt, Receipt, Rows
from portfolio_manager import risk
from portfolio_manager.booking import catch_up
from portfolio_manager.booking.reads import is_pending
from portfolio_manager.models import AccountState, Position, RiskMetrics
from portfolio_manager.models.choices import PositionStatus
from portfolio_manager.risk_days import FIGURES, risk_day
from trading_engine.models import Price
from trading_engine.models.choices import InstrumentType
from trading_engine.services.base import AccountService

__all__ = ["RiskLogger"]

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
        told = {
            "timestamp": timestamp, "portfolio_value": portfolio_value, "total_exposure": total_exposure,
            "max_position_size": max_position_size, "correlation_risk": correlation_risk, "var_estimate": var_estimate,
        }  # fmt: skip
        return self.recorder.record(risk_day(self.account, told))

    def bulk_log(self, days: Iterable[Mapping[str, Any]]) -> BulkReceipt:
        """
        Store the figures of many days, each given as the keywords of `log_risk_metrics`.

        Returns:
            How many days were stored and were there already, and (index, error) of those refused.
        """
        return self.recorder.record_many(partial(self._day, day) for day in days)

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

    def _day(self, day: Mapping[str, Any]) -> Fact:
        told = checks.check_record("day", day, known=RISK_KEYWORDS, of="log_risk_metrics")
        return risk_day(self.account, {**dict.fromkeys(FIGURES), **told})

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

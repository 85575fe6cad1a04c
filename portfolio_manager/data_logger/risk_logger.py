"""Record the daily risk of a book: one row per account and day, the newest reading wins."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any, Final

from friren.core.numbers import ZERO
from friren.persistence import checks
from friren.persistence.facts import Fact
from friren.persistence.reads import newest_first
from friren.persistence.receipts import BulkReceipt, Receipt, Rows, WriteOutcome
from portfolio_manager.booking import catch_up
from portfolio_manager.booking.later import book_later
from portfolio_manager.booking.reads import is_pending
from portfolio_manager.booking.risk_figures import RiskFigures, risk_figures
from portfolio_manager.models import RiskMetrics
from portfolio_manager.risk_days import FIGURES, risk_day
from trading_engine.services.base import AccountService

__all__ = ["RiskLogger", "RiskReceipt"]

log = logging.getLogger(__name__)

RISK_KEYWORDS: Final = frozenset(FIGURES)
# The day of a reading needs no figures; its record does.
NO_FIGURES: Final = {**dict.fromkeys(FIGURES), "portfolio_value": ZERO, "total_exposure": ZERO}


class RiskReceipt(Receipt, frozen=True):
    """
    The outcome of working out a day's risk.

    Attributes:
        left_out: what is in another currency and so in no figure: "SAP EUR" for a position, "EUR" for cash.
    """

    left_out: tuple[str, ...] = ()


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
        return self.recorder.record_many(days, self._day)

    def compute(self, at: dt.datetime) -> RiskReceipt:
        """
        Work out the figures from the books as they are marked now, and store them for the day of `at`.

        What is not booked yet is booked before.

        Value: cash in the base currency and the marked values of open positions (of leveraged ones their
        unrealised profit). Value at risk: historical, 95 %, over the daily values of a year. Correlation:
        mean over pairs of held symbols, from three months of stored daily closes, of one source each.

        Everything is in the base currency: positions and cash in another one are in no figure, and the receipt
        names them. Who has a rate works the figures out and gives them to `log_risk_metrics`.

        Args:
            at: aware; prices and values after it are not looked at.

        Returns:
            As of `log_risk_metrics`; DEFERRED while the database is away: nothing was worked out, call again.

        Raises:
            RejectedRecordError: an open position was never marked (see `PortfolioTracker.mark_to_market`).
        """
        self.recorder.refuse_closed()
        moment = checks.check_time("at", at)
        found = self.recorder.derive(partial(self._figures, moment))
        if found is None:
            if self.recorder.reachable:
                book_later(self.account.id, using=self.using)
            day = risk_day(self.account, {**NO_FIGURES, "timestamp": moment})
            return RiskReceipt(day.id, WriteOutcome.DEFERRED, synced=False)
        if found.left_out:
            log.warning("the risk of %s is without %s", self.account.name, ", ".join(found.left_out))
        receipt = self.log_risk_metrics(timestamp=moment, **found.values)
        return RiskReceipt(receipt.id, receipt.outcome, receipt.synced, left_out=found.left_out)

    def _figures(self, moment: dt.datetime, alias: str) -> RiskFigures:
        if is_pending(self.account.id, using=alias):
            catch_up(self.account.id, using=alias)
        return risk_figures(self.account.id, base_currency=self.account.base_currency, at=moment, using=alias)

    def get_risk_history(
        self, *, start: dt.datetime | None = None, end: dt.datetime | None = None, limit: int = 100, after: Any = None
    ) -> Rows[Any]:
        """Return the days of this account, newest first; parameters and errors as for `get_trade_history`."""
        days = RiskMetrics.objects.using(self.using).filter(account=self.account.id)
        return newest_first(days, time="timestamp", start=start, end=end, limit=limit, after=after)

    def _day(self, day: Mapping[str, Any]) -> Fact:
        told = checks.check_record("day", day, known=RISK_KEYWORDS, of="log_risk_metrics")
        return risk_day(self.account, {**dict.fromkeys(FIGURES), **told})

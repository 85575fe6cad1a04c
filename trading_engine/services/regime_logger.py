"""Record market regimes, and say which one is on."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any, Final, TypedDict, Unpack
from uuid import UUID

from friren.accounts import AccountHandle, find_account
from friren.errors import RejectedRecordError
from friren.persistence import checks
from friren.persistence.facts import make_fact, spec_of
from friren.persistence.reads import first_row, newest_first
from friren.persistence.receipts import Receipt, Rows
from trading_engine.models import MarketRegime, RegimeHistory
from trading_engine.models.choices import RegimeType
from trading_engine.services.base import Service
from trading_engine.symbols import rows_of_symbol

__all__ = ["MARKET_WIDE", "RegimeDetails", "RegimeLogger"]

# For `account=`: regimes of the market itself, which no book owns.
MARKET_WIDE: Final = None
# What stands in a regime while the database is away and nothing was read before.
NOT_KNOWN: Final = {"regime_type": RegimeType.UNKNOWN.value}


class RegimeDetails(TypedDict, total=False):
    """What may be told of a regime beside its type and time."""

    symbol: Any  # ticker, (ticker, venue) or Symbol; None is the whole market
    detector: str | None  # MANUAL unless said; ENHANCED, ENTROPY, …
    confidence_score: float | Decimal | None  # 0 to 1
    indicators_used: dict[str, Any] | None
    transition_reason: str | None
    vix_average: float | None
    volatility_score: float | None
    macro_score: float | None


REGIME_KEYWORDS: Final = frozenset(RegimeDetails.__annotations__)


class RegimeLogger(Service):
    """
    Records what detectors see.

    Args:
        account: whose regimes these are; None is the whole market. A backtest gives its own account, so
            it never moves the live regime.
        detector: for calls that name none.
    """

    def __init__(
        self,
        account: AccountHandle | UUID | str | None = MARKET_WIDE,
        *,
        detector: str = "MANUAL",
        mode: str = "direct",
        using: str = "default",
        durability: str | None = None,
    ) -> None:
        super().__init__(mode=mode, using=using, durability=durability)
        self.account = None if account is MARKET_WIDE else find_account(account)
        self.detector = spec_of(RegimeHistory).fields["detector"].check("detector", detector)

    def log_regime_change(
        self,
        *,
        regime_type: str,
        timestamp: dt.datetime,
        regime_id: UUID | str | None = None,
        **details: Unpack[RegimeDetails],
    ) -> Receipt:
        """
        Store what a detector saw, and move the interval of (account, detector, symbol) if it is new.

        The same type as the open interval's, or a moment before that interval began, is kept as an
        observation only.

        Args:
            regime_type: CRISIS, STABLE, BULL, BEAR, SIDEWAYS, HIGH_VOLATILITY or UNKNOWN.
            timestamp: when it was seen, aware.
            regime_id: a UUID; made when None.
            details: what RegimeDetails lists.

        Raises:
            RejectedRecordError: a value breaks a rule; nothing was stored.
            KeyReusedError: the id is another observation's.
        """
        checks.refuse_unknown(details, known=REGIME_KEYWORDS, of="log_regime_change")
        if details.get("detector") is None:
            details["detector"] = self.detector
        key = None if regime_id is None else checks.check_uuid("regime_id", regime_id)
        fact = make_fact(
            RegimeHistory,
            id=key,
            account=self.account.id if self.account else None,
            regime_type=regime_type,
            timestamp=checks.check_time("timestamp", timestamp),
            **details,
        )
        try:
            return self.recorder.record(fact)
        except RejectedRecordError as exc:
            raise exc.named({"id": "regime_id"}) from exc

    def get_regime_history(
        self,
        symbol: Any = None,
        *,
        detector: str | None = None,
        regime_type: str | None = None,
        start: dt.datetime | None = None,
        end: dt.datetime | None = None,
        limit: int = 100,
        after: Any = None,
    ) -> Rows[Any]:
        """
        Return observations of this account (or of the market), newest first.

        Args:
            symbol: ticker or (ticker, venue); all when None.
            detector, regime_type: exact; all when None.
            start, end: bounds of the time, aware; start included, end not.
            limit: rows at most, 1 to 100000.
            after: `next` of the page before.

        Raises:
            RejectedRecordError: an argument breaks a rule.
        """
        fields = spec_of(RegimeHistory).fields
        rows = RegimeHistory.objects.using(self.using).filter(account=self.account.id if self.account else None)
        if symbol is not None:
            rows = rows_of_symbol(rows, symbol)
        if detector is not None:
            rows = rows.filter(detector=fields["detector"].check("detector", detector))
        if regime_type is not None:
            rows = rows.filter(regime_type=fields["regime_type"].check("regime_type", regime_type))
        return newest_first(rows, time="timestamp", start=start, end=end, limit=limit, after=after)

    def current_regime(self, symbol: Any = None, *, detector: str | None = None) -> Any | None:
        """
        Return the open interval of a detector (this logger's unless said) for a symbol or the whole market.

        Returns:
            A row with the fields of MarketRegime, `as_of` and `stale`; None when nothing was seen yet. While the
            database is away it is what was on at `as_of`, or a row whose regime_type is UNKNOWN.
        """
        return first_row(self._intervals(symbol, detector).filter(ended_at=None), unknown=NOT_KNOWN)

    def regime_at(self, timestamp: dt.datetime, symbol: Any = None, *, detector: str | None = None) -> Any | None:
        """
        Return the last observation at or before `timestamp` (aware), by the same key as `current_regime`.

        Returns:
            A row with the fields of RegimeHistory, `as_of` and `stale`; None when nothing was seen until then. While
            the database is away it is as for `current_regime`.
        """
        moment = checks.check_time("timestamp", timestamp)
        rows = self._of_stream(RegimeHistory.objects.using(self.using).all(), symbol, detector)
        return first_row(rows.filter(timestamp__lte=moment).order_by("-timestamp", "-id"), unknown=NOT_KNOWN)

    def _intervals(self, symbol: Any, detector: str | None) -> Any:
        return self._of_stream(MarketRegime.objects.using(self.using).all(), symbol, detector)

    def _of_stream(self, rows: Any, symbol: Any, detector: str | None) -> Any:
        name = self.detector if detector is None else detector
        checked = spec_of(RegimeHistory).fields["detector"].check("detector", name)
        rows = rows.filter(account=self.account.id if self.account else None, detector=checked)
        if symbol is None:
            return rows.filter(symbol=None)
        return rows_of_symbol(rows, symbol)

"""Record signals, taken or not."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final, TypedDict, Unpack
from uuid import UUID

from django.utils import timezone

from friren.core.ids import natural_id
from friren.errors import RejectedRecordError
from friren.persistence import checks
from friren.persistence.facts import Fact, make_fact, spec_of
from friren.persistence.reads import newest_first
from friren.persistence.receipts import BulkReceipt, Receipt, Rows
from trading_engine.models import Signal
from trading_engine.models.choices import SignalKind
from trading_engine.pairs.keys import pair_key, rows_of_pair
from trading_engine.services.signal_batches import SignalBatches
from trading_engine.signal_moves import SIGNAL_MOVE
from trading_engine.symbols import rows_of_symbol
from trading_engine.system_notes import note_fact

__all__ = ["SignalDetails", "SignalLogger"]


class SignalDetails(TypedDict, total=False):
    """What may be told of a signal beside its type and time."""

    symbol: Any  # ticker, (ticker, venue) or Symbol; or else:
    pair: Any  # two symbols, or a row of TradingPair; needs z_score and spread_value
    market: Any  # id of a prediction market
    kind: str | None  # EQUITY; PAIR when a pair is given and no symbol, PREDICTION when a market is
    strategy_name: str | None
    confidence_score: float | Decimal | None  # 0 to 1
    reasoning: str | None
    regime: Any  # id or row of the market regime
    target_price: Decimal | int | None
    amount: Decimal | int | None
    yes_price: Decimal | int | None
    no_price: Decimal | int | None
    market_liquidity: Decimal | int | None
    market_volume: Decimal | int | None
    market_question: str | None
    event: Any
    event_title: str | None
    event_ends_at: dt.datetime | None
    z_score: float | None
    spread_value: float | None
    batch_id: UUID | None
    extra: dict[str, Any] | None


SIGNAL_KEYWORDS: Final = frozenset(SignalDetails.__annotations__) | {"signal_type", "timestamp", "signal_id"}
# What callers call this column.
SIGNAL_PARAMETERS: Final = {"id": "signal_id"}


class SignalLogger(SignalBatches):
    """Records the advice that strategies give to one account."""

    def log_signal(
        self,
        *,
        signal_type: str,
        timestamp: dt.datetime,
        signal_id: UUID | str | None = None,
        **details: Unpack[SignalDetails],
    ) -> Receipt:
        """
        Store a signal.

        Args:
            signal_type: ENTRY_LONG, EXIT_LONG, …, BUY, SELL, HOLD, BUY_YES or BUY_NO.
            timestamp: when it was given, aware.
            signal_id: a UUID; made when None.
            details: `symbol`, `pair` or `market`, and what SignalDetails lists.

        Returns:
            STORED, or DUPLICATE when the same signal is there already.

        Raises:
            RejectedRecordError: a value breaks a rule; nothing was stored.
            KeyReusedError: the id is another signal's.
        """
        checks.refuse_unknown(details, known=SIGNAL_KEYWORDS, of="log_signal")
        fact = self._signal_fact(signal_type=signal_type, timestamp=timestamp, signal_id=signal_id, **details)
        try:
            return self.recorder.record(fact)
        except RejectedRecordError as exc:
            raise exc.named(SIGNAL_PARAMETERS) from exc

    def bulk_log(self, signals: Iterable[Mapping[str, Any]]) -> BulkReceipt:
        """
        Store many signals, each given as the keywords of `log_signal`.

        Returns:
            How many were stored and were there already, and (index, error) of those refused.
        """
        return self.recorder.record_many(signals, self._bulk_fact, parameters=SIGNAL_PARAMETERS)

    def log_batch(
        self, signals: Iterable[Mapping[str, Any]], at: dt.datetime, *, batch_id: UUID | None = None
    ) -> BulkReceipt:
        """
        Store signals that were given together, and note it as `last_signal_generation`.

        Args:
            signals: each given as the keywords of `log_signal`; `batch_id` and, where none is given, `timestamp` are
                those of the batch.
            at: when they were given, aware.
            batch_id: that of (account, at) when None.

        Returns:
            As `bulk_log`.
        """
        moment = checks.check_time("at", at)
        own = natural_id("signal_batch", self.account.id, moment)
        key = own if batch_id is None else checks.check_uuid("batch_id", batch_id)
        receipt = self.bulk_log({"timestamp": moment, **told, "batch_id": key} if isinstance(told, Mapping) else told
                                for told in signals)  # fmt: skip
        self.recorder.record(note_fact("last_signal_generation", moment))
        return receipt

    def mark_processed(self, signal: Any, *, timestamp: dt.datetime | None = None) -> Receipt:
        """
        Note that the signal was looked at. Doing it again is a DUPLICATE.

        Args:
            signal: id, receipt or row.
            timestamp: when, aware; now unless given.

        Returns:
            The outcome, with the id of the signal.

        Raises:
            RejectedRecordError: the signal is not stored in this account.
        """
        return self._move(signal, timestamp)

    def mark_executed(self, signal: Any, trade: Any = None, *, timestamp: dt.datetime | None = None) -> Receipt:
        """
        Note that the signal led to `trade`. Doing it again is a DUPLICATE.

        Args:
            signal: id, receipt or row.
            trade: id, receipt or row of the fill, of the same account; None when it is not known which.
            timestamp: when, aware; now unless given.

        Returns:
            The outcome, with the id of the signal.

        Raises:
            InvalidTransitionError: it is marked with another trade, or the trade belongs to another signal.
            RejectedRecordError: signal or trade is not stored in this account.
        """
        trade_id = None if trade is None else spec_of(Signal).fields["trade"].check("trade", trade)
        return self._move(signal, timestamp, executed=True, **({} if trade_id is None else {"trade": trade_id}))

    def get_signal_history(
        self,
        symbol: Any = None,
        *,
        pair: Any = None,
        strategy: str | None = None,
        signal_type: str | None = None,
        executed: bool | None = None,
        start: dt.datetime | None = None,
        end: dt.datetime | None = None,
        limit: int = 100,
        after: Any = None,
        include_archive: bool = False,
    ) -> Rows[Any]:
        """
        Return signals of this account, newest first.

        Args:
            symbol: ticker or (ticker, venue); all when None.
            pair: two symbols, or a row; all when None.
            strategy: exact `strategy_name`.
            executed: only those that led to a trade, or only the others.
            start, end: bounds of the time, aware; start included, end not.
            limit: rows at most, 1 to 100000.
            after: `next` of the page before.
            include_archive: also what was archived.

        Raises:
            RejectedRecordError: an argument breaks a rule.
        """
        fields = spec_of(Signal).fields
        signals = Signal.objects.using(self.using).filter(account=self.account.id)
        if symbol is not None:
            signals = rows_of_symbol(signals, symbol)
        if pair is not None:
            signals = rows_of_pair(signals, *pair_key("pair", pair))
        if strategy is not None:
            signals = signals.filter(strategy_name=fields["strategy_name"].check("strategy", strategy))
        if signal_type is not None:
            signals = signals.filter(signal_type=fields["signal_type"].check("signal_type", signal_type))
        if executed is not None:
            signals = signals.filter(executed=checks.check_boolean("executed", executed))
        return newest_first(
            signals, time="timestamp", start=start, end=end, limit=limit, after=after, include_archive=include_archive
        )

    def _move(self, signal: Any, timestamp: dt.datetime | None, **moved: Any) -> Receipt:
        at = timezone.now() if timestamp is None else checks.check_time("timestamp", timestamp)
        key = checks.check_uuid("signal", getattr(signal, "id", signal))
        values = {"account": self.account.id, "at": at, **moved}
        return self.recorder.record(Fact(kind=SIGNAL_MOVE, id=key, values=values))

    def _bulk_fact(self, signal: Mapping[str, Any]) -> Fact:
        told = checks.check_record("signal", signal, known=SIGNAL_KEYWORDS, of="log_signal")
        return self._signal_fact(**{"signal_type": None, "timestamp": None, **told})

    def _signal_fact(self, *, timestamp: Any, signal_id: Any = None, **details: Any) -> Fact:
        if details.get("kind") is None:
            details["kind"] = _kind_of(details)
        key = None if signal_id is None else checks.check_uuid("signal_id", signal_id)
        moment = checks.check_time("timestamp", timestamp)
        return make_fact(Signal, id=key, account=self.account.id, timestamp=moment, **details)


def _kind_of(details: Mapping[str, Any]) -> SignalKind:
    if details.get("market") is not None:
        return SignalKind.PREDICTION
    paired = details.get("pair") is not None and details.get("symbol") is None
    return SignalKind.PAIR if paired else SignalKind.EQUITY

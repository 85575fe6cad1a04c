"""Record pairs: what the newest estimate says of them, and whether they are traded."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final, TypedDict, Unpack

from django.utils import timezone

from friren.core.ids import new_id
from friren.persistence import checks
from friren.persistence.facts import Fact, spec_of
from friren.persistence.receipts import Receipt
from trading_engine.models import TradingPair
from trading_engine.pairs.keys import pair_key
from trading_engine.pairs.records import PAIR_ESTIMATE
from trading_engine.services.base import Service

__all__ = ["PairFigures", "PairRecorder"]


class PairFigures(TypedDict, total=False):
    """What an estimate says of a pair; None where a figure is undefined."""

    cointegration_pvalue: float  # 0 to 1
    hedge_ratio: float  # units of the second symbol per unit of the first
    correlation: float  # -1 to 1
    half_life: float | None  # bars
    stability_score: float | None  # higher is more stable
    lookback_days: int  # 252 unless said
    is_active: bool  # True unless said


FIGURE_KEYWORDS: Final = frozenset(PairFigures.__annotations__)


class PairRecorder(Service):
    """Records the pairs that there are. A pair is never deleted: what is traded no more is inactive."""

    def record_pair(
        self, symbol_1: Any, symbol_2: Any, *, timestamp: dt.datetime | None = None, **figures: Unpack[PairFigures]
    ) -> Receipt:
        """
        Store an estimate of a pair; the newest one stands.

        Args:
            symbol_1, symbol_2: tickers or (ticker, venue); the spread is symbol_1 less hedge_ratio of symbol_2.
            timestamp: when it was estimated, aware; now unless given.
            figures: what PairFigures lists.

        Returns:
            STORED, or DUPLICATE when the pair has these figures, or newer ones.

        Raises:
            RejectedRecordError: a value breaks a rule.
        """
        checks.refuse_unknown(figures, known=FIGURE_KEYWORDS, of="record_pair")
        told = {"symbol_1": symbol_1, "symbol_2": symbol_2, **figures}
        return self._record_at(timestamp, spec_of(TradingPair).checked(told))

    def deactivate_pair(self, pair: Any, *, timestamp: dt.datetime | None = None) -> Receipt:
        """
        Say that a pair is traded no more; its figures stay. An estimate that says otherwise makes it active again.

        Args:
            pair: two symbols, or a row.
            timestamp: when, aware; now unless given.

        Raises:
            RejectedRecordError: the pair is not stored.
        """
        key = pair_key("pair", pair)
        return self._record_at(timestamp, {"symbol_1": key[:2], "symbol_2": key[2:], "is_active": False})

    def _record_at(self, timestamp: dt.datetime | None, values: dict[str, Any]) -> Receipt:
        at = timezone.now() if timestamp is None else checks.check_time("timestamp", timestamp)
        return self.recorder.record(Fact(kind=PAIR_ESTIMATE, id=new_id(), values={**values, "at": at}))

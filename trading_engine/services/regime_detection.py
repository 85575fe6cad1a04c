"""Let a detector read bars, and record the changes of regime that it sees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from friren.core.ids import natural_id
from friren.errors import KeyReusedError
from friren.persistence.receipts import WriteOutcome
from trading_engine.data.bars import Bar
from trading_engine.regime import RegimeDetector, RegimeReading
from trading_engine.services.regime_logger import RegimeLogger

__all__ = ["DetectedRegimes", "detect_regimes"]


@dataclass(slots=True)
class DetectedRegimes:
    """
    What a detector saw of one symbol.

    Attributes:
        bars: how many it was given.
        sessions: bars by the regime that stood at their close; the first ones have none.
        stored, duplicates, journaled: changes of regime that are new, were stored before, and are on this machine's
            disk while the database is away.
        conflicts: changes that are stored otherwise, in words: the bars were revised since, or VIX was not read then.
        last: the reading of the last bar, if there was one.
    """

    symbol: str
    detector: str
    bars: int = 0
    sessions: Counter[str] = field(default_factory=Counter)
    stored: int = 0
    duplicates: int = 0
    journaled: int = 0
    conflicts: list[str] = field(default_factory=list)
    last: RegimeReading | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON, with the regime, confidence and figures of the last bar."""
        counts = {name: getattr(self, name) for name in ("symbol", "bars", "stored", "duplicates", "journaled")}
        now = self.last
        return {
            **counts,
            "conflicts": list(self.conflicts),
            "sessions": dict(self.sessions),
            "regime": now.regime_type if now else None,
            "confidence": now.confidence if now else None,
            "indicators": dict(now.indicators) if now else {},
        }


def detect_regimes(
    symbol: str,
    bars: Iterable[Bar],
    *,
    detector: RegimeDetector,
    logger: RegimeLogger,
    progress: Callable[[int], None] = lambda _bars: None,
) -> DetectedRegimes:
    """
    Feed bars to a detector and record each change of regime with its confidence, indicators and reason.

    A change has its id of (account, detector, symbol, time). A detector reads the past the same whatever follows, so a
    run over the same bars and later ones adds the later changes and nothing else.

    Args:
        bars: of one symbol, oldest first, from the same first bar every time.
        detector: new; it is fed every bar.
        logger: whose account the regimes are, see RegimeLogger.
        progress: called with the number of bars just read.
    """
    seen = DetectedRegimes(symbol, detector.name)
    for bar in bars:
        seen.bars += 1
        progress(1)
        reading = detector.on_bar(bar)
        if reading is None:
            continue
        seen.sessions[reading.regime_type] += 1
        seen.last = reading
        if reading.changed:
            _log(seen, reading, logger)
    return seen


def _log(seen: DetectedRegimes, reading: RegimeReading, logger: RegimeLogger) -> None:
    figures = reading.indicators
    account = logger.account.id if logger.account else None
    try:
        receipt = logger.log_regime_change(
            regime_id=natural_id("regime_history", account, seen.detector, seen.symbol, reading.timestamp),
            regime_type=reading.regime_type,
            timestamp=reading.timestamp,
            detector=seen.detector,
            symbol=seen.symbol,
            confidence_score=reading.confidence,
            indicators_used=dict(figures),
            transition_reason=reading.transition_reason,
            vix_average=figures.get("vix"),
            volatility_score=figures.get("volatility"),
        )
    except KeyReusedError:
        seen.conflicts.append(f"{seen.symbol} {reading.timestamp:%Y-%m-%d %H:%M}: {reading.transition_reason}")
        return
    seen.stored += receipt.outcome is WriteOutcome.STORED
    seen.duplicates += receipt.outcome is WriteOutcome.DUPLICATE
    seen.journaled += receipt.outcome not in {WriteOutcome.STORED, WriteOutcome.DUPLICATE}

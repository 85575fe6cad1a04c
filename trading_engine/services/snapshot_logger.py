"""Record what a system sees before it decides."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from uuid import UUID

from friren.persistence.facts import Fact
from friren.persistence.receipts import Receipt
from trading_engine.models import CalendarSnapshot, CandleSnapshot, IndicatorSnapshot, NewsSnapshot
from trading_engine.services.base import Service
from trading_engine.snapshot_series import prepare_months, snapshot_fact

__all__ = ["SnapshotLogger"]


class SnapshotLogger(Service):
    """
    Records candles, indicators, calendar and news as they were seen. They belong to no account.

    Rows of one decision share a `snapshot_ref`; `TradeIdeaService.propose` takes it, or records them itself. The same
    row told twice is a DUPLICATE, with other values a KeyReusedError: what was seen stays what it was.
    """

    def log_candle(
        self,
        *,
        symbol: str,
        timeframe: str,
        open: Decimal | int,  # noqa: A002 - the column's name
        high: Decimal | int,
        low: Decimal | int,
        close: Decimal | int,
        captured_at: dt.datetime,
        volume: Decimal | int | None = None,
        snapshot_ref: UUID | None = None,
    ) -> Receipt:
        """
        Store the last candle of a symbol as it was shown.

        Args:
            symbol, timeframe: as shown; nothing is looked up.
            captured_at: when it was seen, aware.
            snapshot_ref: of the decision that it was seen for.

        Raises:
            RejectedRecordError: a value breaks a rule; nothing was stored.
            KeyReusedError: another candle is stored for this symbol, timeframe, moment and decision.
        """
        return self._seen(
            snapshot_fact(
                CandleSnapshot,
                snapshot_ref=snapshot_ref,
                captured_at=captured_at,
                symbol=symbol,
                timeframe=timeframe,
                open=open,
                high=high,
                low=low,
                close=close,
                volume=volume,
            )
        )

    def log_indicators(
        self,
        *,
        symbol: str,
        timeframe: str,
        captured_at: dt.datetime,
        rsi_14: float | Decimal | None = None,
        sma_50: Decimal | int | None = None,
        sma_200: Decimal | int | None = None,
        macd: Decimal | int | None = None,
        atr: Decimal | int | None = None,
        snapshot_ref: UUID | None = None,
    ) -> Receipt:
        """
        Store the indicators of a symbol as they were worked out. Parameters and errors as for `log_candle`.

        Args:
            rsi_14: 0 to 100, four decimals.
            sma_50, sma_200, macd, atr: in units of the price.
        """
        return self._seen(
            snapshot_fact(
                IndicatorSnapshot,
                snapshot_ref=snapshot_ref,
                captured_at=captured_at,
                symbol=symbol,
                timeframe=timeframe,
                rsi_14=rsi_14,
                sma_50=sma_50,
                sma_200=sma_200,
                macd=macd,
                atr=atr,
            )
        )

    def log_calendar(
        self,
        *,
        event_time: dt.datetime,
        currency: str,
        impact_level: str,
        title: str,
        captured_at: dt.datetime,
        previous_value: str | None = None,
        forecast_value: str | None = None,
        actual_value: str | None = None,
        snapshot_ref: UUID | None = None,
    ) -> Receipt:
        """
        Store an event of the economic calendar with what was known of it. Errors as for `log_candle`.

        Args:
            event_time: when it happens, aware.
            impact_level: low, medium or high.
            previous_value, forecast_value, actual_value: text, as calendars give them ("3.1%").
        """
        return self._seen(
            snapshot_fact(
                CalendarSnapshot,
                snapshot_ref=snapshot_ref,
                captured_at=captured_at,
                event_time=event_time,
                currency=currency,
                impact_level=impact_level,
                title=title,
                previous_value=previous_value,
                forecast_value=forecast_value,
                actual_value=actual_value,
            )
        )

    def log_news(
        self,
        *,
        headline: str,
        source: str,
        published_at: dt.datetime,
        captured_at: dt.datetime,
        symbols: list[str] | None = None,
        snapshot_ref: UUID | None = None,
    ) -> Receipt:
        """Store a headline that was known, with the symbols it is about. Errors as for `log_candle`."""
        return self._seen(
            snapshot_fact(
                NewsSnapshot,
                snapshot_ref=snapshot_ref,
                captured_at=captured_at,
                headline=headline,
                source=source,
                published_at=published_at,
                symbols=symbols,
            )
        )

    def _seen(self, fact: Fact) -> Receipt:
        self.recorder.refuse_closed()
        prepare_months(self.recorder, [fact])
        return self.recorder.record(fact)

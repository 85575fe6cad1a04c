"""
What would have come of ideas that were turned down.

An idea is worth turning down when what it asked for would have lost money, and that shows only later. Once its horizon
has passed, its outcome is worked out from stored bars, and kept as an IdeaOutcome. How:

- It would have waited at its entry price, or anywhere in its entry range: the first bar after the proposal that comes
  there fills it, at the entry, or at the bar's open where that lies in the range.
- From there on a bar that touches the stop ends it at the stop, one that touches the target at the target, one that
  opens beyond either at its open. A bar that touches both ends it at the stop: which came first is not known. For the
  same reason only the stop is believed of the bar that fills it.
- What ends neither way ends at the last close within the horizon.

No bar up to the proposal is looked at, and of those after the horizon only the first, for the price after it.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Protocol

from django.utils import timezone
from django.utils.dateparse import parse_duration

from friren.core.ids import natural_id
from friren.core.numbers import CONTEXT, quantize
from friren.errors import KeyReusedError
from friren.persistence.facts import Fact, make_fact
from friren.persistence.receipts import BulkReceipt
from friren.persistence.recorder import Recorder
from portfolio_manager.models import IdeaOutcome, TradeIdea
from portfolio_manager.models.choices import Direction
from trading_engine.models import Price
from trading_engine.models.choices import ExitReason

__all__ = ["DEFAULT_HOLD", "Course", "Evaluated", "evaluate_rejected", "follow", "hold_of"]

# A trading week: what an idea that says nothing of its hold is judged after.
DEFAULT_HOLD: Final = dt.timedelta(days=7)
_SHORT: Final = re.compile(r"\s*(\d{1,6})\s*(m|h|d|w|min|hours?|days?|weeks?)\s*", re.IGNORECASE)
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class _Bar(Protocol):
    timestamp: dt.datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What became of a proposal on the bars of its horizon; all None where the market never came to the entry."""

    entry_price: Decimal | None = None
    entered_at: dt.datetime | None = None
    exit_price: Decimal | None = None
    exited_at: dt.datetime | None = None
    exit_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """
    What `evaluate_rejected` did.

    Attributes:
        evaluated: outcomes that were stored.
        pending: ideas whose horizon is not over yet.
        without_bars: ideas whose horizon is over, and of whose symbol there is no bar to judge them by.
    """

    evaluated: int
    pending: int
    without_bars: int


def hold_of(text: str) -> dt.timedelta | None:
    """Return an expected hold as a span: "5d", "4 hours", "2w", or ISO 8601 ("P5D", "PT4H"); None where it is none."""
    short = _SHORT.fullmatch(text)
    if short:
        span: dt.timedelta | None = dt.timedelta(**{_UNITS[short[2][0].lower()]: int(short[1])})
    else:
        span = parse_duration(text.strip())
    return span if span is not None and span > dt.timedelta() else None


def follow(
    bars: Sequence[_Bar],
    *,
    direction: str,
    low: Decimal,
    high: Decimal,
    stop_loss: Decimal | None,
    take_profit: Decimal | None,
) -> Course:
    """
    Return the course of a proposal on the bars of its horizon, oldest first; pure.

    Args:
        low, high: bounds of the entry; equal where it is one price.
    """
    long = direction == Direction.LONG
    for place, bar in enumerate(bars):
        if bar.low > high or bar.high < low:
            continue
        entry = min(max(bar.open, low), high)
        entered = Course(entry_price=entry, entered_at=bar.timestamp)
        if stop_loss is not None and _touches(bar, stop_loss, below=long):
            return dataclasses.replace(
                entered, exit_price=stop_loss, exited_at=bar.timestamp, exit_reason=ExitReason.STOP
            )
        for later in bars[place + 1 :]:
            for limit, reason, below in (
                (stop_loss, ExitReason.STOP, long),
                (take_profit, ExitReason.TARGET, not long),
            ):
                if limit is not None and _touches(later, limit, below=below):
                    price = min(limit, later.open) if below else max(limit, later.open)
                    return dataclasses.replace(entered, exit_price=price, exited_at=later.timestamp, exit_reason=reason)
        last = bars[-1]
        return dataclasses.replace(
            entered, exit_price=last.close, exited_at=last.timestamp, exit_reason=ExitReason.TIMEOUT
        )
    return Course()


def evaluate_rejected(
    *,
    now: dt.datetime | None = None,
    hold: dt.timedelta = DEFAULT_HOLD,
    timeframe: str = "1d",
    source: str | None = None,
    using: str = "default",
) -> Evaluated:
    """
    Store the outcome of every rejected idea whose horizon is over and that has none yet. Done again it adds nothing.

    Args:
        now: until when bars are believed, aware; the present unless given.
        hold: of ideas whose own `expected_hold` is no span.
        timeframe, source: of the bars; of the source of the newest bar unless given.
    """
    until = timezone.now() if now is None else now
    ideas = TradeIdea.objects.using(using).unjudged()
    pending = without_bars = 0
    found: list[Fact] = []
    for idea in ideas.select_related("symbol").order_by("proposed_at", "id").iterator():
        due_at = idea.proposed_at + (hold_of(idea.expected_hold) or hold)
        if due_at > until:
            pending += 1
            continue
        bars = list(_horizon(idea, due_at, until, timeframe, source, using))
        if not bars or bars[-1].timestamp < due_at:
            without_bars += 1
            continue
        found.append(_outcome(idea, due_at, bars))
    stored = _store(found, using)
    return Evaluated(evaluated=stored.stored + stored.journaled, pending=pending, without_bars=without_bars)


def _store(facts: Iterable[Fact], using: str) -> BulkReceipt:
    receipt = Recorder(using=using).record_many(facts, lambda fact: fact)
    for _index, error in receipt.rejected:
        # One that was archived, and of bars that were revised since, is worked out otherwise now: the first stays.
        if not isinstance(error, KeyReusedError):
            raise error
    return receipt


def _horizon(  # noqa: PLR0917 - told once, by the caller above
    idea: TradeIdea, due_at: dt.datetime, until: dt.datetime, timeframe: str, source: str | None, using: str
) -> Iterator[Any]:
    """Yield the bars after the proposal up to the first that ends the horizon."""
    bars = Price.objects.using(using).filter(
        symbol=idea.symbol_id, timeframe=timeframe, timestamp__gt=idea.proposed_at, timestamp__lte=until
    )
    named = source or bars.order_by("-timestamp", "source").values_list("source", flat=True).first()
    for bar in bars.filter(source=named).order_by("timestamp").iterator(chunk_size=500):
        yield bar
        if bar.timestamp >= due_at:
            return


def _outcome(idea: TradeIdea, due_at: dt.datetime, bars: Sequence[Any]) -> Fact:
    low, high = _entry(idea)
    last = bars[-1]
    # The bar that ends the horizon gives the price after it, and nothing else where it began behind it.
    within = bars if last.timestamp == due_at else bars[:-1]
    course = follow(
        within, direction=idea.direction, low=low, high=high, stop_loss=idea.stop_loss, take_profit=idea.take_profit
    )
    per_unit = pnl = None
    if course.entry_price is not None and course.exit_price is not None:
        moved = CONTEXT.subtract(course.exit_price, course.entry_price)
        per_unit = quantize(moved if idea.direction == Direction.LONG else moved.copy_negate())
        per_unit = quantize(CONTEXT.multiply(per_unit, idea.symbol.multiplier))
        pnl = None if idea.quantity is None else quantize(CONTEXT.multiply(per_unit, idea.quantity))
    return make_fact(
        IdeaOutcome, id=natural_id("idea_outcome", idea.pk), account=idea.account_id, trade_idea=idea.pk,
        due_at=due_at, evaluated_at=timezone.now(), timeframe=last.timeframe, source=last.source,
        price_after=last.close, price_after_at=last.timestamp, reached=course.entry_price is not None,
        entry_price=course.entry_price, entered_at=course.entered_at, exit_price=course.exit_price,
        exited_at=course.exited_at, exit_reason=course.exit_reason, pnl_per_unit=per_unit, pnl=pnl,
    )  # fmt: skip


def _entry(idea: TradeIdea) -> tuple[Decimal, Decimal]:
    if idea.entry_price is not None:
        return idea.entry_price, idea.entry_price
    bounds: Any = idea.entry_range
    return Decimal(bounds["low"]), Decimal(bounds["high"])


def _touches(bar: _Bar, limit: Decimal, *, below: bool) -> bool:
    return bar.low <= limit if below else bar.high >= limit

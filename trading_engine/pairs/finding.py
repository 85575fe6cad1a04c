"""Finds pairs among symbols with bars, renews what is known of them, and puts aside those that hold no more."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final

from django.db import DEFAULT_DB_ALIAS

from friren.errors import RejectedRecordError
from friren.persistence.answers import ask
from friren.persistence.receipts import WriteOutcome
from trading_engine.models import TradingPair
from trading_engine.pairs.analysis import OBSERVATIONS_MIN, PairEstimate, estimate_pair
from trading_engine.services.pair_recorder import PairRecorder

if TYPE_CHECKING:
    from trading_engine.data.bars import Bar

__all__ = ["PairFinding", "PairSearch", "analyze_pairs", "common_closes", "store_unknown_pairs"]

Symbols = tuple[str, str]
Series = Mapping[str, Sequence["Bar"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairSearch:
    """
    What is looked for.

    Attributes:
        lookback: closes of an estimate at most; the newest that both symbols have.
        max_pvalue: of the test that the two are not cointegrated; above it a pair is not traded.
        max_half_life: bars; a spread that comes back more slowly, or never, is not traded. None: half the lookback.
        as_of: nothing later than this is looked at; None: everything there is.
        only: the pairs to look at, stored whatever comes out; all pairs of the symbols when empty.
    """

    lookback: int = 252
    max_pvalue: float = 0.05
    max_half_life: float | None = None
    as_of: dt.datetime | None = None
    only: Sequence[Symbols] = field(default_factory=tuple)

    def __post_init__(self) -> None:
        if self.lookback < OBSERVATIONS_MIN:
            raise RejectedRecordError("lookback", self.lookback, f"at least {OBSERVATIONS_MIN}")
        if not 0 < self.max_pvalue <= 1:
            raise RejectedRecordError("max_pvalue", self.max_pvalue, "above 0 and at most 1")

    def accepts(self, estimate: PairEstimate) -> bool:
        """Return whether a pair with this estimate is traded."""
        longest = self.lookback / 2 if self.max_half_life is None else self.max_half_life
        return estimate.pvalue <= self.max_pvalue and estimate.half_life is not None and estimate.half_life <= longest


@dataclass(frozen=True, slots=True)
class PairFinding:
    """
    What came of one pair.

    Attributes:
        estimate: None where there is none; `reason` says why.
        is_active: whether it is traded from now on.
        outcome: what was stored; None of a pair that is unknown and not worth storing.
    """

    symbols: Symbols
    estimate: PairEstimate | None
    is_active: bool
    outcome: WriteOutcome | None
    reason: str = ""


def analyze_pairs(
    series: Series, search: PairSearch, *, recorder: PairRecorder, progress: Callable[[int], None] = lambda _pairs: None
) -> list[PairFinding]:
    """
    Estimate pairs of symbols and store what holds: new pairs, new figures of known ones, known ones that hold no more.

    Of a pair that is not known the direction with the smaller p is taken. Many pairs tested make some look good by
    chance: a p of 0.05 is passed by one of twenty that have nothing to do with each other.

    Args:
        series: bars by symbol, oldest first.
        progress: called with the number of pairs just done.

    Raises:
        ConfigurationError: statsmodels is not installed.
        RejectedRecordError: fewer than two symbols, or a pair names one without bars.
    """
    known = stored_pairs(sorted(series))
    found = []
    for candidates, asked in _candidates(series, search, known):
        found.append(_analyze(series, candidates, search, recorder, known=asked or candidates[0] in known))
        progress(1)
    return found


def _candidates(series: Series, search: PairSearch, known: set[Symbols]) -> Iterator[tuple[list[Symbols], bool]]:
    """Yield the directions in which a pair is looked at, and whether it was asked for by name."""
    if missing := sorted({symbol for pair in search.only for symbol in pair} - set(series)):
        raise RejectedRecordError("pair", missing, "symbols with bars")
    if search.only:
        yield from (([pair], True) for pair in search.only)
        return
    if len(series) < 2:
        raise RejectedRecordError("symbols", sorted(series), "at least two")
    for one, other in combinations(sorted(series), 2):
        both = [(one, other), (other, one)]
        yield [pair for pair in both if pair in known] or both, False


def _analyze(
    series: Series, candidates: Iterable[Symbols], search: PairSearch, recorder: PairRecorder, *, known: bool
) -> PairFinding:
    estimates: dict[Symbols, PairEstimate] = {}
    symbols, reason = next(iter(candidates)), ""
    for pair in candidates:
        try:
            closes = common_closes(series, pair, until=search.as_of)
            estimates[pair] = estimate_pair(*(own[-search.lookback :] for own in closes))
        except RejectedRecordError as exc:
            reason = str(exc)
    # Without a correlation there is no pair to store: one of the two rises by the same amount every bar.
    usable = {pair: one for pair, one in estimates.items() if one.correlation is not None}
    if not usable:
        outcome = recorder.deactivate_pair(symbols).outcome if known and (symbols in stored_pairs(symbols)) else None
        return PairFinding(symbols, None, is_active=False, outcome=outcome, reason=reason or "the changes do not vary")
    symbols, estimate = min(usable.items(), key=lambda item: item[1].pvalue)
    active = search.accepts(estimate)
    outcome = _record(recorder, symbols, estimate, is_active=active) if active or known else None
    return PairFinding(symbols, estimate, is_active=active, outcome=outcome)


def _record(recorder: PairRecorder, symbols: Symbols, estimate: PairEstimate, *, is_active: bool) -> WriteOutcome:
    return recorder.record_pair(
        *symbols,
        cointegration_pvalue=estimate.pvalue,
        hedge_ratio=estimate.hedge_ratio,
        correlation=estimate.correlation or 0.0,
        half_life=estimate.half_life,
        stability_score=estimate.stability,
        lookback_days=estimate.observations,
        is_active=is_active,
    ).outcome


def common_closes(
    series: Series, pair: Symbols, *, until: dt.datetime | None = None
) -> tuple[list[float], list[float]]:
    """Return the closes of the moments at which both symbols have a bar, up to and including `until`."""
    first, second = ({bar.timestamp: float(bar.close) for bar in series[symbol]} for symbol in pair)
    moments = sorted(at for at in first.keys() & second.keys() if until is None or at <= until)
    return [first[at] for at in moments], [second[at] for at in moments]


def store_unknown_pairs(series: Series, pairs: Sequence[Symbols]) -> None:
    """
    Store those of `pairs` that are not stored, with an estimate of all their bars, so that facts can name them.

    They are inactive, and nothing is traded by these figures: a strategy makes its own of what it has seen.

    Raises:
        RejectedRecordError: a pair has too few bars to be estimated.
        ConfigurationError: statsmodels is not installed.
    """
    known = stored_pairs([symbol for pair in pairs for symbol in pair]) if pairs else set()
    if unknown := [pair for pair in pairs if pair not in known]:
        with PairRecorder() as recorder:
            for pair in unknown:
                estimate = estimate_pair(*common_closes(series, pair))
                _record(recorder, pair, estimate, is_active=False)


def stored_pairs(symbols: Sequence[str]) -> set[Symbols]:
    """Return the stored pairs of some symbols; those of the last time while the database is away."""
    listed: Final = tuple(symbols)

    def question(alias: str) -> list[Any]:
        rows = TradingPair.objects.using(alias).filter(
            symbol_1__ticker__in=listed, symbol_2__ticker__in=listed, symbol_1__venue="", symbol_2__venue=""
        )
        return list(rows.values_list("symbol_1__ticker", "symbol_2__ticker"))

    return set(ask(("pairs of", listed), question, using=DEFAULT_DB_ALIAS).rows)

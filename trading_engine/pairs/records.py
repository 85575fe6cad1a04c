"""How pairs are stored: by their estimates, of which the newest one stands."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

from friren.persistence.codec import register_record
from friren.persistence.facts import Fact, spec_of
from friren.persistence.handlers import MissingRowError, register_handler
from friren.persistence.receipts import Receipt, WriteOutcome
from friren.persistence.values import checked_values
from trading_engine.models import TradingPair
from trading_engine.symbols import symbol_id

__all__ = ["PAIR_ESTIMATE", "register"]

PAIR_ESTIMATE: Final = "trading_pair"
SYMBOLS: Final = ("symbol_1", "symbol_2")
FIGURES: Final = (
    "cointegration_pvalue", "half_life", "correlation", "hedge_ratio", "lookback_days", "stability_score",
    "is_active",
)  # fmt: skip
# An estimate always has it; a record without only deactivates the pair.
ESTIMATED_BY: Final = "cointegration_pvalue"


def register() -> None:
    """Register the kind `trading_pair`."""
    fields = spec_of(TradingPair).fields
    register_record(PAIR_ESTIMATE, {"at": dt.datetime, **{name: fields[name].wire for name in (*SYMBOLS, *FIGURES)}})
    register_handler(PAIR_ESTIMATE, _store, prepare=_make_symbols)


def _make_symbols(facts: Sequence[Fact], *, using: str) -> None:
    for key in sorted(fact.values[name] for fact in facts for name in SYMBOLS):
        symbol_id(key, using=using)


def _store(fact: Fact, *, using: str) -> Receipt:
    """Store an estimate of a pair, or that it is traded no more; what is older than the stored one changes nothing."""
    told, at = fact.values, fact.values["at"]
    key = {f"{name}_id": symbol_id(told[name], using=using) for name in SYMBOLS}
    pair = before = _locked(key, using)
    if ESTIMATED_BY in told:
        known = (*SYMBOLS, *FIGURES)
        values = checked_values(TradingPair, **{name: told[name] for name in known if name in told})
        figures = {name: values[name] for name in FIGURES}
        if pair is None:
            # Another process may make it at the same moment: then this insert does nothing.
            TradingPair.objects.using(using).bulk_create([TradingPair(**key, **figures)], ignore_conflicts=True)
            pair = _locked(key, using)
    else:
        figures = {"is_active": False}
    if pair is None:
        raise MissingRowError("pair", [told[name][0] for name in SYMBOLS], "is not stored")
    same = all(getattr(pair, name) == value for name, value in figures.items())
    made = before is None and same
    if not made and (same or pair.updated_at > at):
        return Receipt(fact.id, WriteOutcome.DUPLICATE)
    TradingPair.objects.using(using).filter(id=pair.id).update(**figures, updated_at=at)
    return Receipt(fact.id, WriteOutcome.STORED)


def _locked(key: dict[str, Any], using: str) -> TradingPair | None:
    """Return the pair, locked; FOR NO KEY UPDATE leaves foreign keys to it alone."""
    return TradingPair.objects.using(using).select_for_update(no_key=True).filter(**key).first()

"""The arithmetic of the books: facts in, positions and ledger out. Pure: no database, no clock, no settings."""

from portfolio_manager.accounting.books import Books, exact_sum, fold
from portfolio_manager.accounting.entries import Entry, EntryKind, bounded, cash_entry, fill_entries, notional
from portfolio_manager.accounting.facts import (
    BUYS,
    Action,
    Cash,
    CostBasis,
    Dividend,
    Fact,
    Fill,
    Instrument,
    InstrumentType,
    PositionMode,
    Resolution,
    Source,
    Split,
    fold_key,
)
from portfolio_manager.accounting.fold import Effect, Fold
from portfolio_manager.accounting.marks import Mark, average_price, liquidation_distance, mark
from portfolio_manager.accounting.positions import Leg, Lot, PositionState, Role, Side

__all__ = [
    "BUYS",
    "Action",
    "Books",
    "Cash",
    "CostBasis",
    "Dividend",
    "Effect",
    "Entry",
    "EntryKind",
    "Fact",
    "Fill",
    "Fold",
    "Instrument",
    "InstrumentType",
    "Leg",
    "Lot",
    "Mark",
    "PositionMode",
    "PositionState",
    "Resolution",
    "Role",
    "Side",
    "Source",
    "Split",
    "average_price",
    "bounded",
    "cash_entry",
    "exact_sum",
    "fill_entries",
    "fold",
    "fold_key",
    "liquidation_distance",
    "mark",
    "notional",
]

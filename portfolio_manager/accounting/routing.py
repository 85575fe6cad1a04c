"""Which position a fill reduces, and where the rest of it goes."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from portfolio_manager.accounting.facts import Action, Fill, InstrumentType, PositionMode
from portfolio_manager.accounting.positions import PositionState, Side

__all__ = ["MINTS", "Route", "route"]

# Selling a token that is not held mints a pair: it costs 1 and leaves the other token.
MINTS = frozenset({Action.SELL_YES, Action.SELL_NO})

_OPPOSITE = {Side.LONG: Side.SHORT, Side.SHORT: Side.LONG, Side.YES: Side.NO, Side.NO: Side.YES}
# The side that an action adds to when there is nothing for it to reduce; by text, as which an action equals its member.
_ADDS_TO: dict[str, Side] = {
    Action.BUY: Side.LONG,
    Action.COVER: Side.LONG,
    Action.SELL: Side.SHORT,
    Action.SHORT: Side.SHORT,
    Action.BUY_YES: Side.YES,
    Action.SELL_NO: Side.YES,
    Action.BUY_NO: Side.NO,
    Action.SELL_YES: Side.NO,
}
# With the sides held apart, buy and short only ever add.
_REDUCES = frozenset({Action.SELL, Action.COVER, *MINTS})


class Route(msgspec.Struct, frozen=True):
    """
    Where a fill goes.

    Attributes:
        closing: the position it reduces first, if any.
        slot, side: of the position that the rest opens or increases.
    """

    closing: PositionState | None
    slot: str
    side: str


def route(fill: Fill, held: Mapping[tuple[str, str], PositionState], mode: str) -> Route:
    """
    Return where a fill goes.

    Tokens of a prediction market, and HEDGING without a round trip, keep one slot per side: what a
    sale cannot take from one side it adds to the other. NETTING, and the fills of one round trip,
    share a slot that holds one position at a time.

    Args:
        fill: the trade.
        held: the open positions of the fill's instrument by (strategy, slot).
        mode: NETTING or HEDGING.
    """
    action = fill.action
    side = _ADDS_TO[action]
    tokens = fill.instrument.type == InstrumentType.PREDICTION
    if tokens or (mode == PositionMode.HEDGING and fill.round_trip is None):
        return Route(held.get((fill.strategy, _OPPOSITE[side])) if action in _REDUCES else None, side, side)
    slot = str(fill.round_trip) if mode == PositionMode.HEDGING else ""
    current = held.get((fill.strategy, slot))
    return Route(current if current is not None and current.side != side else None, slot, side)

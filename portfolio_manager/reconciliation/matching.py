"""
Which fill of a statement is which of the book. Pure: the order in which either side is told changes nothing.

First by the venue's own id. What is left by its figures: instrument, direction, quantity and price equal, and the times
as near as is asked. Last, where one side has no ids, by what can be the same fill told wrongly: all of that but the
price, or but the quantity.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from portfolio_manager.reconciliation.fills import Fill, shown_value

__all__ = ["Matched", "differences", "match"]

Key = Callable[[Fill], Hashable]


@dataclass(slots=True)
class Matched:
    """
    What became of the fills of both sides.

    Attributes:
        pairs: (the statement's, the book's).
        missing: of the statement only.
        extra: of the book only.
        repeated: of the statement, told there under an id that stands there already; with how often in all.
        busted: of the statement, under an id that the book holds of a busted trade; with that trade.
    """

    pairs: list[tuple[Fill, Fill]] = field(default_factory=list)
    missing: list[Fill] = field(default_factory=list)
    extra: list[Fill] = field(default_factory=list)
    repeated: list[tuple[Fill, int]] = field(default_factory=list)
    busted: list[tuple[Fill, Fill]] = field(default_factory=list)


def match(theirs: Iterable[Fill], ours: Iterable[Fill], *, tolerance: dt.timedelta) -> Matched:
    """
    Return which fills are the same.

    Args:
        ours: busted trades among them are looked at for their ids alone.
        tolerance: how far apart the times of one fill may be that is known by its figures.
    """
    found = Matched()
    booked = [one for one in ours if not one.busted]
    busted = {one.key: one for one in ours if one.busted and one.key}
    left, open_ = _by_key(theirs, booked, found)
    for key, mixed in ((_figures, True), (_but_price, False), (_but_quantity, False)):
        left, open_ = _by_figures(left, open_, key, tolerance, found, with_ids=mixed)
    for one in left:
        ended = busted.get(one.key) if one.key else None
        if ended is not None:
            found.busted.append((one, ended))
        else:
            found.missing.append(one)
    found.missing.sort(key=_order)
    found.extra = sorted(open_, key=_order)
    return found


def differences(theirs: Fill, ours: Fill, *, tolerance: dt.timedelta) -> Iterator[tuple[str, str, str]]:
    """Yield (field, as the book has it, as the statement tells it) of one fill that both have; money is exact."""
    told: dict[str, tuple[Decimal | dt.datetime | str | None, Decimal | dt.datetime | str | None]] = {
        "symbol": (ours.ticker, theirs.ticker),
        "action": (ours.sign, theirs.sign),
        "quantity": (ours.quantity, theirs.quantity),
        "price": (ours.price, theirs.price),
    }
    if ours.symbol_venue and theirs.symbol_venue and ours.symbol_venue != theirs.symbol_venue:
        told["symbol"] = (f"{ours.ticker} {ours.symbol_venue}", f"{theirs.ticker} {theirs.symbol_venue}")
    if abs(ours.executed_at - theirs.executed_at) > tolerance:
        told["executed_at"] = (ours.executed_at, theirs.executed_at)
    if theirs.commission is not None:
        told["commission"] = (ours.commission, theirs.commission)
    if ours.commission_currency and theirs.commission_currency:
        told["commission_currency"] = (ours.commission_currency, theirs.commission_currency)
    for name, (own, other) in told.items():
        if own != other:
            yield name, shown_value(own), shown_value(other)
    if ours.key and theirs.key and ours.venue == theirs.venue and ours.external_id != theirs.external_id:
        yield "external_id", ours.external_id, theirs.external_id


def _by_key(theirs: Iterable[Fill], ours: Sequence[Fill], found: Matched) -> tuple[list[Fill], list[Fill]]:
    by_key = {one.key: one for one in ours if one.key}
    ids: dict[str, list[Fill]] = defaultdict(list)
    for one in ours:
        ids[one.external_id].append(one)
    told: dict[tuple[str, str], list[Fill]] = defaultdict(list)
    left = []
    for one in theirs:
        if one.key:
            told[one.key].append(one)
        else:
            left.append(one)
    taken = set()
    for key, some in told.items():
        first = min(some, key=_order)
        if len(some) > 1:
            found.repeated.append((first, len(some)))
        other = by_key.get(key)
        if other is None and not first.venue and len(ids[first.external_id]) == 1:
            # A statement that does not say whose it is: the id alone tells, where only one fill has it.
            (other,) = ids[first.external_id]
        if other is None or id(other) in taken:
            left.append(first)
        else:
            taken.add(id(other))
            found.pairs.append((first, other))
    return left, [one for one in ours if id(one) not in taken]


def _by_figures(
    theirs: Sequence[Fill],
    ours: Sequence[Fill],
    key: Key,
    tolerance: dt.timedelta,
    found: Matched,
    *,
    with_ids: bool,
) -> tuple[list[Fill], list[Fill]]:
    """Pair fills of one key, nearest times first come; two that the venue named differently only `with_ids`."""
    groups: dict[Hashable, list[Fill]] = defaultdict(list)
    for one in sorted(ours, key=_order):
        groups[key(one)].append(one)
    left: list[Fill] = []
    taken: set[int] = set()
    # By group, how many at its beginning are taken or too early for all that follow.
    passed: dict[Hashable, int] = defaultdict(int)
    for one in sorted(theirs, key=_order):
        name = key(one)
        group, begin = groups.get(name, []), passed[name]
        while begin < len(group) and (
            id(group[begin]) in taken or group[begin].executed_at < one.executed_at - tolerance
        ):
            begin += 1
        passed[name] = begin
        for place in range(begin, len(group)):
            other = group[place]
            if other.executed_at > one.executed_at + tolerance:
                left.append(one)
                break
            if id(other) not in taken and _can_be(one, other, with_ids=with_ids):
                taken.add(id(other))
                found.pairs.append((one, other))
                break
        else:
            left.append(one)
    return left, [one for one in ours if id(one) not in taken]


def _can_be(one: Fill, other: Fill, *, with_ids: bool) -> bool:
    """Return whether two fills may be the same: not those of two venues; if asked, not those with an id each."""
    same_venue = not one.venue or not other.venue or one.venue == other.venue
    return same_venue and (with_ids or not (one.key and other.key))


def _figures(one: Fill) -> Hashable:
    return one.ticker, one.sign, one.quantity, one.price


def _but_price(one: Fill) -> Hashable:
    return one.ticker, one.sign, one.quantity


def _but_quantity(one: Fill) -> Hashable:
    return one.ticker, one.sign, one.price


def _order(one: Fill) -> tuple[object, ...]:
    return one.executed_at, one.ticker, one.sign, one.quantity, one.price, one.external_id, one.place

"""Refold one group from a moment on, and write what came out differently."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from msgspec.structs import replace

from portfolio_manager.accounting import (
    Dividend,
    Effect,
    Entry,
    Fold,
    Leg,
    PositionState,
    Resolution,
    Split,
    fold_key,
)
from portfolio_manager.booking.changes import Changes, write
from portfolio_manager.booking.database import Row, query_all
from portfolio_manager.booking.rows import ACTIONS, FILLS, RESOLUTIONS, action_of, fill_of, resolution_of
from portfolio_manager.booking.state import Group, Locked, Moment
from portfolio_manager.booking.stored import StoredTail, group_condition, group_parameters, load_tail, positions_sql

__all__ = ["Folded", "differences", "fold_group", "refold"]

_Event = Split | Dividend | Resolution


@dataclass(frozen=True, slots=True)
class Folded:
    """
    A group folded from a moment on, beside what is stored.

    Attributes:
        stored: what the books hold.
        wanted: what they should hold.
        fills: the trades that were folded, by id.
        others: the corporate actions and resolutions that were.
    """

    stored: StoredTail
    wanted: Effect
    fills: frozenset[UUID]
    others: list[_Event]


def refold(books: Locked, group: Group, start: Moment) -> list[_Event]:
    """
    Bring the books of `group` from `start` on to what the facts say.

    A fact that is the newest of its group finds nothing stored after it and is simply appended; a late
    one finds the legs that followed it, and those that come out the same are not written.

    Returns:
        The corporate actions and resolutions that were folded; they concern other strategies too.

    Raises:
        RejectedRecordError: a sum would reach 1e20.
    """
    folded = fold_group(books, group, start)
    changes = differences(folded)
    # What a fill does to cash whatever is held is written when it is booked, and taken back when it is busted.
    booked = folded.stored.trades
    changes.entries += [line for line in folded.wanted.entries if line.position is None and line.source not in booked]
    if changes:
        write(books, changes)
    return folded.others


def fold_group(books: Locked, group: Group, start: Moment) -> Folded:
    """Return a group as it is stored and as it should be, from `start` or somewhat earlier on."""
    parameters = group_parameters(books.account, group, start)
    events, event_of = _events_sql(group)
    positions, fill_rows, event_rows = query_all(
        books.using, (positions_sql(group), parameters), (_fills_sql(group), parameters), (events, parameters)
    )
    tail = load_tail(books, positions, start, parameters, events=bool(event_rows))
    if tail.restart is not None:
        return fold_group(books, group, tail.restart)
    fills, others = [fill_of(row) for row in fill_rows], [event_of(row) for row in event_rows]
    folding = Fold(**books.rules, opening=tail.opening)
    wanted = Effect(positions={position.id: position for position in tail.opening})
    for fact in sorted([*fills, *others], key=fold_key):
        effect = folding.apply(fact)
        wanted.positions |= effect.positions
        wanted.legs += effect.legs
        wanted.entries += effect.entries
    return Folded(tail, wanted, frozenset(fill.id for fill in fills), others)


_SINCE: Final = "AND {0}.{1} >= %(time)s AND ({0}.{1}, {0}.id) >= (%(time)s, %(id)s)"


def _fills_sql(group: Group) -> str:
    return f"{FILLS} AND {group_condition(group, 't')} " + _SINCE.format("t", "executed_at")


def _events_sql(group: Group) -> tuple[str, Callable[[Row], _Event]]:
    if group.symbol is None:
        return f"{RESOLUTIONS} AND r.market_id = %(instrument)s " + _SINCE.format("r", "resolved_at"), resolution_of
    return f"{ACTIONS} AND a.symbol_id = %(instrument)s " + _SINCE.format("a", "effective_at"), action_of


def differences(folded: Folded) -> Changes:
    """Return what is to be written; ledger entries only so far as they depend on a position."""
    tail, result = folded.stored, folded.wanted
    changes = Changes()
    for position in result.positions.values():
        stored = tail.positions.get(position.id)
        if stored is None or stored.state != _comparable(position):
            changes.positions.append((stored, position))
    changes.positions += [(tail.positions[key], None) for key in tail.positions.keys() - result.positions.keys()]
    legs: dict[object, Leg] = {leg.id: leg for leg in result.legs}
    changes.legs = [leg for leg in result.legs if tail.legs.get(leg.id) != leg]
    changes.old_legs = tail.legs
    changes.lost_legs = [key for key in tail.legs if key not in legs]
    entries: dict[object, Entry] = {line.id: line for line in result.entries if line.position is not None}
    for line in entries.values():
        before = tail.entries.get(line.id)
        if before != line:
            changes.entries.append(line)
            if before is not None:
                changes.replaced_entries.append(tail.entries[line.id])
    changes.lost_entries = [line for key, line in tail.entries.items() if key not in entries]
    changes.undone_trades = sorted(tail.trades - folded.fills)
    changes.trades = len(folded.fills - tail.trades) - len(changes.undone_trades)
    return changes


def _comparable(position: PositionState) -> PositionState:
    """Return the position as its row can hold it: lots stand in its legs."""
    return replace(position, lots=())

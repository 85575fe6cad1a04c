"""Finds open, high, low, close and their company among the columns of a header, in any order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trading_engine.data.importers.parsed import UnreadableFileError

__all__ = ["PRICES", "Columns", "find_columns", "names_of"]

PRICES: Final = ("open", "high", "low", "close")
_ROLES: Final[dict[str, str]] = {
    **dict.fromkeys(("open", "o"), "open"),
    **dict.fromkeys(("high", "h"), "high"),
    **dict.fromkeys(("low", "l"), "low"),
    **dict.fromkeys(("close", "c", "last", "close/last"), "close"),
    **dict.fromkeys(("volume", "vol", "vol.", "v", "tickvol"), "volume"),
    **dict.fromkeys(("adj close", "adj. close", "adjclose", "adjusted close", "adjusted"), "adjusted_close"),
}
# One-letter names are columns of their own, never the tail of a longer name.
_TAILS: Final = tuple(sorted((name for name in _ROLES if len(name) > 1), key=len, reverse=True))
_STAMPS: Final = (
    "datetime",
    "date time",
    "date/time",
    "timestamp",
    "date",
    "open time",
    "day",
    "time",
    "unix",
    "price",
)
_UNNAMED: Final = re.compile(r"(?:index|unnamed: 0)?")
_TICKERS: Final = ("symbol", "ticker", "name")


@dataclass(frozen=True, slots=True)
class Columns:
    """Where things stand in a row. `stamp` has two places when date and time are columns of their own."""

    width: int
    stamp: tuple[int, ...]
    prices: tuple[int, int, int, int]
    volume: int | None
    adjusted_close: int | None
    ticker: int | None

    def stamp_of(self, cells: list[str]) -> str:
        """Return the time stamp of a row as text."""
        return " ".join(cells[place] for place in self.stamp).strip()


def names_of(cells: list[str]) -> list[str]:
    """Return header cells in one spelling: `<OPEN>`, `1. open` and `Open ` are all `open`."""
    spaced = (re.sub(r"[\s_]+", " ", cell.strip("<> \t'")).casefold() for cell in cells)
    return [re.sub(r"^\d+\. ", "", name) for name in spaced]


def find_columns(where: Path | str, cells: list[str], symbol: str) -> Columns:
    """
    Return the columns that a header names.

    Args:
        symbol: chooses among prefixed groups (`AAPL.Open`, `MSFT.Open`); "" when the caller named none.

    Raises:
        UnreadableFileError: it is no header of bars; the message says what is missing.
    """
    names = names_of(cells)
    group = _choose_group(where, _groups(where, names), names, symbol)
    missing = [role for role in PRICES if role not in group]
    if missing:
        listed = ", ".join(cell or "(unnamed)" for cell in cells[:12])
        raise UnreadableFileError(where, f"no OHLC columns: no {', '.join(missing)} among the columns {listed}")
    used = set(group.values())
    ticker = next((names.index(name) for name in _TICKERS if name in names and names.index(name) not in used), None)
    return Columns(
        width=len(cells),
        stamp=_stamp_places(where, names, used),
        prices=(group["open"], group["high"], group["low"], group["close"]),
        volume=group.get("volume", _first_that_begins(names, "volume ")),
        adjusted_close=group.get("adjusted_close"),
        ticker=ticker,
    )


def _groups(where: Path | str, names: list[str]) -> dict[str, dict[str, int]]:
    groups: dict[str, dict[str, int]] = {"": {}}
    for place, name in enumerate(names):
        prefix, role = _role_of(name)
        if role is None:
            continue
        group = groups.setdefault(prefix, {})
        if role in group:
            raise UnreadableFileError(where, f"the column {name!r} stands twice in the header")
        group[role] = place
    return groups


def _role_of(name: str) -> tuple[str, str | None]:
    if name in _ROLES:
        return "", _ROLES[name]
    for tail in _TAILS:
        head = name.removesuffix(tail)
        if head != name and head[-1] in ". -:/":
            return head.rstrip(". -:/"), _ROLES[tail]
    return "", None


def _choose_group(
    where: Path | str, groups: dict[str, dict[str, int]], names: list[str], symbol: str
) -> dict[str, int]:
    plain = groups[""]
    whole = {prefix: group for prefix, group in groups.items() if prefix and all(role in group for role in PRICES)}
    if all(role in plain for role in PRICES) or not whole:
        return plain
    if len(whole) == 1:
        chosen = next(iter(whole.values()))
    elif (named := whole.get(symbol.casefold())) is not None:
        chosen = named
    else:
        tickers = ", ".join(sorted({prefix.upper() for prefix in whole}))
        raise UnreadableFileError(where, f"columns of several instruments ({tickers}); choose one with --symbol")
    return {role: place for role, place in plain.items() if role not in PRICES and names[place]} | chosen


def _stamp_places(where: Path | str, names: list[str], used: set[int]) -> tuple[int, ...]:
    free = {name: place for place, name in reversed(list(enumerate(names))) if place not in used}
    if "date" in free and "time" in free:
        return free["date"], free["time"]
    for name in _STAMPS:
        if name in free:
            return (free[name],)
    if 0 not in used and _UNNAMED.fullmatch(names[0]):  # the index of a DataFrame
        return (0,)
    raise UnreadableFileError(where, "no column of dates; name it date, datetime or timestamp")


def _first_that_begins(names: list[str], prefix: str) -> int | None:
    return next((place for place, name in enumerate(names) if name.startswith(prefix)), None)

"""Cells of prices and volumes: text to exact decimals, and nothing guessed in silence."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Final

from friren.core.numbers import CONTEXT, DECIMAL_PLACES
from friren.errors import RejectedRecordError
from trading_engine.data.bars import Bar, measured
from trading_engine.data.importers.parsed import Issue, ParsedRow, issue_of

__all__ = ["ROUNDED", "TOO_FINE", "NumberCells", "decimal_cell", "is_empty", "parse_rows"]

ROUNDED: Final = f"a binary float with more than {DECIMAL_PLACES} decimals: rounded"

TOO_FINE: Final = f"at most {DECIMAL_PLACES} decimals"
# ASCII digits only: Decimal() itself would take "1_000", full-width digits and "Infinity".
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
# What spreadsheets, pandas and Yahoo write where they have no value.
_EMPTY: Final = frozenset({"", "null", "nan", "none", "n/a", "na", "-"})
# "0." and 18 decimals are 20 characters: shorter text without an exponent cannot have too many.
_SHORT: Final = DECIMAL_PLACES + 1
_FLOAT_DIGITS: Final = (16, 17)
# Twice what the column holds; longer text is no price.
TEXT_MAX: Final = 80


def is_empty(text: str) -> bool:
    """Return whether a cell says that there is no value."""
    return text.casefold() in _EMPTY


def decimal_cell(field: str, text: str) -> tuple[Decimal, bool]:
    """
    Return (the number in a cell, whether it had to be rounded).

    Rounded is only what a program printed out of a binary float (16 or 17 significant digits) and is too long
    for the column; any other number with too many digits is refused, never cut.

    Raises:
        RejectedRecordError: no plain number, or more digits than the column holds.
    """
    plain = text.removeprefix("$")
    if _NUMBER.fullmatch(plain) is None:
        rule = "a number; the cell is empty" if is_empty(text) else "a plain decimal number such as 187.32"
        raise RejectedRecordError(field, text, rule)
    number = Decimal(plain)
    if len(plain) <= _SHORT and "e" not in plain and "E" not in plain:
        return number, False
    if len(plain) > TEXT_MAX:
        raise RejectedRecordError(field, text, f"at most {TEXT_MAX} characters")
    stripped = CONTEXT.normalize(number)
    exponent = stripped.as_tuple().exponent
    if isinstance(exponent, int) and exponent >= -DECIMAL_PLACES:
        return number, False
    if len(stripped.as_tuple().digits) in _FLOAT_DIGITS and Decimal(repr(float(plain))) == number:
        return measured(float(plain)), True
    raise RejectedRecordError(field, text, TOO_FINE)


class NumberCells:
    """Reads the numbers of one line and notes what had to be changed."""

    def __init__(self, line: int) -> None:
        self.line = line
        self.notes: list[Issue] = []

    def read(self, field: str, text: str) -> Decimal:
        """
        Return the number in a cell.

        Raises:
            RejectedRecordError: see `decimal_cell`.
        """
        number, rounded = decimal_cell(field, text)
        if rounded:
            self.note(field, text, ROUNDED)
        return number

    def note(self, field: str, text: str, rule: str) -> None:
        """Note that the value was kept, changed as `rule` says."""
        self.notes.append(Issue(self.line, field, text, rule, rejected=False))


def parse_rows(
    rows: Iterable[tuple[int, list[str] | Issue]], bar_of: Callable[[list[str], NumberCells], Bar]
) -> Iterator[ParsedRow | Issue]:
    """
    Yield the bar of every row, and beside it or in its place what is to be said of its line.

    Args:
        rows: line and cells, or what is wrong with the line.
        bar_of: makes the bar of a row's cells; raises RejectedRecordError.
    """
    for line, cells in rows:
        if isinstance(cells, Issue):
            yield cells
            continue
        numbers = NumberCells(line)
        try:
            bar = bar_of(cells, numbers)
        except RejectedRecordError as exc:
            yield issue_of(line, exc)
        else:
            yield from numbers.notes
            yield ParsedRow(line, bar)

"""What a parser of prices hands on: bars with their line, and every line that is no bar with the reason why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from friren.errors import RejectedRecordError, shown
from trading_engine.data.bars import Bar

__all__ = ["Issue", "ParsedFile", "ParsedRow", "UnreadableFileError", "issue_of"]


# Enough to find it by; a report of ten thousand of them stays small.
VALUE_LENGTH_MAX: Final = 1000


class UnreadableFileError(RejectedRecordError):
    """
    The file as a whole cannot be read as what it should be, or not without being told more.

    Attributes:
        value: the path, or what else was read.
        rule: what is missing or wrong, and which option settles it.
    """

    def __init__(self, path: Path | str, rule: str) -> None:
        super().__init__("file", str(path), rule)

    def __str__(self) -> str:
        return f"{self.value}: {self.rule}"


@dataclass(frozen=True, slots=True)
class Issue:
    """
    One line or record that is not what it should be, or is it only after a change.

    Attributes:
        line: number in the file, counted from 1.
        field: the column at fault, "" when it is the line as a whole.
        value: the text found there.
        rule: what is asked of it, in words.
        rejected: False when it was kept and `rule` says what was changed.
        path: its place in a document of JSON, "" elsewhere.
    """

    line: int
    field: str
    value: str
    rule: str
    rejected: bool = True
    path: str = ""

    def __str__(self) -> str:
        place = f"{self.field}={shown(self.value)}: " if self.field else ""
        return f"line {self.line}: {place}{self.rule}"


def issue_of(line: int, error: RejectedRecordError, *, path: str = "") -> Issue:
    """Return the issue that an error about one line amounts to."""
    # Bytes that were no text stay visible, and can be written to any terminal.
    value = str(error.value)[:VALUE_LENGTH_MAX].encode("utf-8", "backslashreplace").decode()
    return Issue(line, error.field, value, error.rule, path=path)


class ParsedRow(NamedTuple):
    """A bar and the line it stands on."""

    line: int
    bar: Bar


@dataclass(slots=True)
class ParsedFile:
    """
    The bars of one file, read as they are asked for: memory does not grow with the file.

    Iterating gives `ParsedRow` and `Issue` in the order of the file, and begins anew each time.

    Attributes:
        symbol: ticker of the bars ("" when the file has a column of tickers).
        timeframe: given, or inferred from the spacing of the stamps.
        lines: how many lines follow the header.
        issues: filled by `bars()`.
    """

    path: Path
    symbol: str
    timeframe: str
    source: str
    lines: int
    rows: Callable[[], Iterator[ParsedRow | Issue]]
    issues: list[Issue] = field(default_factory=list)

    def __iter__(self) -> Iterator[ParsedRow | Issue]:
        return self.rows()

    def bars(self) -> Iterator[Bar]:
        """Yield the bars and collect what else was found in `issues`."""
        self.issues.clear()
        for row in self.rows():
            if isinstance(row, Issue):
                self.issues.append(row)
            else:
                yield row.bar

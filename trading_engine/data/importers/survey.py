"""What only the whole file can tell: the order its days are written in, and how far apart its bars lie."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from pathlib import Path
from typing import Final

from friren.errors import RejectedRecordError
from trading_engine.data.bars import INTRADAY
from trading_engine.data.importers.parsed import UnreadableFileError
from trading_engine.data.importers.stamps import DateFormat, Wall, read_wall

__all__ = ["Spacing", "Survey"]


class Spacing:
    """Counts the steps between neighbouring stamps and tells the timeframe from them."""

    # A step as rare as this among all is a gap or a fault, not the timeframe.
    SHARE_MIN: Final = 0.05
    # Ticks have a different step each time; beyond this many kinds there is nothing to infer.
    KINDS_MAX: Final = 10_000

    def __init__(self) -> None:
        self._steps: Counter[int] = Counter()
        self._last: dt.datetime | None = None
        self._count = 0
        self._timed = False

    def add(self, naive: dt.datetime) -> None:
        """Count the stamp that follows in the file."""
        self._count += 1
        self._timed = self._timed or naive.time() != dt.time()
        if self._last is not None and naive != self._last:
            step = abs(round((naive - self._last).total_seconds()))
            if step in self._steps or len(self._steps) < self.KINDS_MAX:
                self._steps[step] += 1
        self._last = naive

    def timeframe(self) -> str | None:
        """Return the timeframe, or None where the stamps do not tell."""
        if not self._steps:
            return "1d" if self._count and not self._timed else None
        rare = self.SHARE_MIN * self._steps.total()
        step = min(s for s, count in self._steps.items() if count >= rare or count == max(self._steps.values()))
        days, odd = divmod(step, 86_400)
        if odd or not days:
            return next((name for name, span in INTRADAY.items() if span.total_seconds() == step), None)
        # Weekends make a step of up to 4 days between daily bars, holidays one of 6 to 8 between weekly ones.
        for name, low, high in (("1d", 1, 4), ("1wk", 5, 8), ("1mo", 28, 31), ("3mo", 89, 92)):
            if low <= days <= high:
                return name
        return None


class Survey:
    """The first walk through a file: which order its days are written in, and how far apart its bars lie."""

    def __init__(self, form: DateFormat | None) -> None:
        self._form = form
        self._forms = [form] if form else [DateFormat("DMY"), DateFormat("MDY")]
        self._spacings = [Spacing() for _ in self._forms]
        self._only: dict[str, tuple[int, str]] = {}
        self._either = ""
        self._first_bad = ""
        self.readable = 0

    def add(self, line: int, text: str) -> None:
        """Take in the stamp of one line."""
        if text[:4].isdigit():  # year first, or a count of seconds: reads alike in every order
            self._add_plain(text)
            return
        read: list[Wall | None] = []
        for form, spacing in zip(self._forms, self._spacings, strict=True):
            try:
                wall = read_wall(text, form)
            except RejectedRecordError:
                read.append(None)
                continue
            read.append(wall)
            spacing.add(wall.naive)
        known = [wall for wall in read if wall is not None]
        self.readable += bool(known)
        if not known:
            self._first_bad = self._first_bad or text
        elif len(known) < len(read):
            self._only.setdefault("DMY" if read[0] is not None else "MDY", (line, text))
        elif known[0] != known[-1]:
            self._either = self._either or text

    def _add_plain(self, text: str) -> None:
        try:
            wall = read_wall(text, self._forms[0])
        except RejectedRecordError:
            self._first_bad = self._first_bad or text
            return
        self.readable += 1
        for spacing in self._spacings:
            spacing.add(wall.naive)

    def settle(self, path: Path, *, timeframe: str | None) -> tuple[DateFormat, str]:
        """
        Return (date format, timeframe) of the file.

        Raises:
            UnreadableFileError: the file leaves one of them open.
        """
        if not self.readable:
            seen = f"the first stamp is {self._first_bad!r}" if self._first_bad else "no line has one"
            raise UnreadableFileError(path, f"no time stamp can be read ({seen}); give --date-format")
        form = self._form or DateFormat(self._order(path))
        inferred = timeframe or self._spacings[self._forms.index(form)].timeframe()
        if inferred is None:
            raise UnreadableFileError(path, "the timeframe cannot be told from the time stamps; give --timeframe")
        return form, inferred

    def _order(self, path: Path) -> str:
        if len(self._only) == len(self._forms):
            (day_line, day_text), (month_line, month_text) = self._only["DMY"], self._only["MDY"]
            raise UnreadableFileError(
                path,
                f"dates in two orders: line {day_line} ({day_text}) is only a date as DD/MM, "
                f"line {month_line} ({month_text}) only as MM/DD; give --date-format DMY or MDY",
            )
        if self._only:
            return next(iter(self._only))
        if self._either:
            raise UnreadableFileError(
                path,
                f"the dates read as DD/MM and as MM/DD ({self._either}, and no day is above 12); "
                "give --date-format DMY or MDY",
            )
        return "MDY"

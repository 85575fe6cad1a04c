"""What a reader hands on: the facts that a record of a file tells of, or the reason why it tells none."""

from __future__ import annotations

import datetime as dt
import gzip
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

from friren.core.choices import Environment, PositionMode
from friren.core.numbers import CONTEXT, DECIMAL_PLACES, LIMIT, ZERO, quantize
from friren.errors import RejectedRecordError
from friren.persistence import checks
from trading_engine.data.bars import measured
from trading_engine.data.importers.cells import ROUNDED, TOO_FINE, decimal_cell
from trading_engine.data.importers.lines import decoded
from trading_engine.data.importers.parsed import Issue, UnreadableFileError, issue_of

__all__ = ["Book", "Entry", "Fields", "ReadFiles", "SourceFile", "Told", "entry_of", "opened"]

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
# What counts since 1970: seconds, or milliseconds where a number is as large as this.
_MILLISECONDS_FROM: Final = Decimal(10) ** 11
_MOMENT_RULE: Final = "a time: seconds or milliseconds since 1970, or ISO 8601"


class Told(NamedTuple):
    """
    A fact as a file tells it.

    Attributes:
        kind: trade, order, cash_movement, corporate_action, prediction_event, prediction_market or
            prediction_market_snapshot.
        keywords: of the call that records such a fact; `round_trip` and `order` are keys of the source, as text.
        moved_at: of an order: when it came to its status.
    """

    kind: str
    keywords: dict[str, Any]
    moved_at: dt.datetime | None = None


class Entry(NamedTuple):
    """One record of a file: its line, its place in a document ("" elsewhere), and the facts it tells of."""

    line: int
    path: str
    told: list[Told]


@dataclass(frozen=True, slots=True)
class Book:
    """The books that a source is about, for who names none."""

    name: str
    environment: str = Environment.PAPER
    currency: str = "USD"
    position_mode: str = PositionMode.NETTING
    starting_cash: Decimal | None = None


@dataclass(slots=True)
class SourceFile:
    """
    One file, read as its records are asked for: memory does not grow with it.

    Attributes:
        entries: begins anew each time; raises UnreadableFileError where the file breaks off.
        size: of the file in bytes.
        read: how many of them were read; filled while entries are taken.
    """

    path: Path
    entries: Callable[[SourceFile], Iterator[Entry | Issue]]
    size: int = 0
    read: int = 0

    def __iter__(self) -> Iterator[Entry | Issue]:
        return self.entries(self)


@dataclass(slots=True)
class ReadFiles:
    """
    What the files of one import are.

    Attributes:
        book: the books they are about; None where they do not tell.
        of_books: False where they are about no books, but about the market.
        skipped: (file, why nothing in it is imported).
        unreadable: files that are not what was asked for.
    """

    book: Book | None = None
    of_books: bool = True
    files: list[SourceFile] = field(default_factory=list)
    skipped: list[tuple[Path, str]] = field(default_factory=list)
    unreadable: list[UnreadableFileError] = field(default_factory=list)


def opened(path: Path, file: SourceFile | None = None) -> IO[str]:
    """
    Open a text file, packed by gzip or not; `file` is told how far it was read.

    Raises:
        UnreadableFileError: it cannot be opened.
    """
    try:
        raw = path.open("rb", buffering=0)
    except OSError as exc:
        raise UnreadableFileError(path, f"the file cannot be opened ({exc.strerror})") from exc
    counted = io.BufferedReader(_Counted(raw, file))
    mark = counted.peek(2)[:2]
    if mark == b"\x1f\x8b":
        unpacked = io.BufferedReader(gzip.GzipFile(fileobj=counted))
        return decoded(unpacked, mark=b"")
    return decoded(counted, mark=mark)


class _Counted(io.RawIOBase):
    """The bytes of a file, counted as they are read."""

    def __init__(self, raw: IO[bytes], file: SourceFile | None) -> None:
        self._raw, self._file = raw, file
        if file is not None:
            file.read = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count: int = self._raw.readinto(buffer)  # type: ignore[attr-defined]  # a raw file has it
        if self._file is not None:
            self._file.read += count
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class Fields:
    """
    The named values of one record, read with their rules; an error names the field as the source does.

    Args:
        floats: every number of the source is a binary float that a program printed.
    """

    def __init__(self, values: Mapping[str, Any], line: int, path: str = "", *, floats: bool = False) -> None:
        self.values, self.line, self.path, self._floats = values, line, path, floats
        self.notes: list[Issue] = []

    def number(self, name: str) -> Decimal:
        """
        Return an exact number. What a program printed of a binary float and no column holds is rounded, and noted:
        where all numbers are floats whatever has too many decimals, elsewhere what has the 16 or 17 digits of one.

        Raises:
            RejectedRecordError: it is missing, no number, or has too many digits.
        """
        value = self.values.get(name)
        if value is None or isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            rule = "is required" if value is None else "a plain decimal number such as 187.32"
            raise RejectedRecordError(name, value, rule)
        text = str(value).strip()
        try:
            found, rounded = decimal_cell(name, text)
        except RejectedRecordError as exc:
            if not self._floats or exc.rule != TOO_FINE:
                raise
            found, rounded = measured(float(text)), True
        if abs(found) >= LIMIT:
            raise RejectedRecordError(name, value, f"less than {LIMIT:f}")
        if rounded:
            self._note(name, value, ROUNDED)
        return found

    def number_or_none(self, name: str) -> Decimal | None:
        """Return an exact number, None where there is none. Errors as for `number`."""
        return None if self.values.get(name) is None else self.number(name)

    def fee(self, name: str) -> Decimal | None:
        """Return a fee, None where there is none; one of more decimals than the books keep is rounded, and noted."""
        value = self.values.get(name)
        if isinstance(value, Decimal) and value.is_finite() and abs(value) < LIMIT:
            rounded = quantize(value)
            if CONTEXT.compare(rounded, value):
                self._note(name, value, f"a fee of more than {DECIMAL_PLACES} decimals: rounded")
            return CONTEXT.normalize(rounded) if rounded else ZERO
        return self.number_or_none(name)

    def text(self, name: str, *, required: bool = False) -> str:
        """
        Return a text, "" where there is none; numbers as they are written.

        Raises:
            RejectedRecordError: it is missing though required, or no text.
        """
        value = self.values.get(name)
        if value is None or value == "":
            if required:
                raise RejectedRecordError(name, value, "is required")
            return ""
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            raise RejectedRecordError(name, value, "a text is wanted")
        return checks.check_text(name, str(value))

    def moment(self, *names: str) -> dt.datetime:
        """
        Return the moment of the first field that has one: seconds or milliseconds since 1970, or ISO 8601 (UTC).

        Raises:
            RejectedRecordError: none has one, or it is no time.
        """
        found = self.moment_or_none(*names)
        if found is None:
            raise RejectedRecordError(names[0], None, "is required")
        return found

    def moment_or_none(self, *names: str) -> dt.datetime | None:
        """Return what `moment` does, None where no field has one."""
        for name in names:
            value = self.values.get(name)
            if value is not None and value != "":
                return _moment(name, value)
        return None

    def _note(self, name: str, value: Any, rule: str) -> None:
        self.notes.append(Issue(self.line, name, str(value), rule, rejected=False, path=self.path))


def _moment(name: str, value: Any) -> dt.datetime:
    try:
        if isinstance(value, str):
            found = dt.datetime.fromisoformat(value)
            return found.replace(tzinfo=dt.UTC) if found.tzinfo is None else found.astimezone(dt.UTC)
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            seconds = Decimal(value)
            scale = 1_000 if abs(seconds) >= _MILLISECONDS_FROM else 1_000_000
            # Exact: a float would lose the microsecond.
            count = CONTEXT.multiply(seconds, Decimal(scale)).to_integral_value()
            return _EPOCH + dt.timedelta(microseconds=int(count))
    except (ValueError, ArithmeticError) as exc:
        raise RejectedRecordError(name, value, _MOMENT_RULE) from exc
    raise RejectedRecordError(name, value, _MOMENT_RULE)


def entry_of(
    values: Any, line: int, path: str, tell: Callable[[Fields], list[Told]], *, floats: bool = True
) -> Iterator[Entry | Issue]:
    """
    Yield the entry of one record and what had to be changed of it, or the reason why it is none.

    Args:
        values: the record; anything but a mapping is refused.
        tell: makes the facts of its fields; raises RejectedRecordError.
        floats: see `Fields`.
    """
    if not isinstance(values, Mapping):
        yield Issue(line, "", str(values)[:120], "an object with named values is wanted", path=path)
        return
    fields = Fields(values, line, path, floats=floats)
    try:
        told = tell(fields)
    except RejectedRecordError as exc:
        yield issue_of(line, exc, path=path)
    else:
        yield from fields.notes
        yield Entry(line, path, told)

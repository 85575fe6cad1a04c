"""Bars out of LEAN zips: equities (prices × 10000, New York) and crypto (unscaled, UTC)."""

from __future__ import annotations

import datetime as dt
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO, Final

from friren.core.numbers import CONTEXT
from friren.errors import RejectedRecordError
from trading_engine.data.bars import DATED, Bar, canonical_timeframe
from trading_engine.data.importers.cells import NumberCells, parse_rows
from trading_engine.data.importers.lines import LINE_MAX, decoded, numbered_lines, split_cells
from trading_engine.data.importers.parsed import Issue, ParsedFile, ParsedRow, UnreadableFileError, issue_of
from trading_engine.data.importers.stamps import DateFormat, Wall, read_wall, to_utc, zone_of
from trading_engine.data.importers.survey import Survey

__all__ = ["LeanMarket", "read_lean"]

# Unpacked; a year of second bars of one symbol is about 300 MB. Bounds what a zip bomb can cost in time;
# memory is bounded by reading line by line.
ENTRY_BYTES_MAX: Final = 1 << 30
# Text of digits packs to about a fifth; a bomb to less than a thousandth.
PACKED_RATIO_MAX: Final = 200
COLUMNS: Final = ("timestamp", "open", "high", "low", "close", "volume")
EQUITY_SCALE: Final = -4
_ENTRY: Final = re.compile(
    r"(?:(?P<day>\d{8})_)?(?P<ticker>[^_]+)(?:_(?P<resolution>[a-z]+))?(?:_(?P<kind>[a-z]+))?\.csv", re.IGNORECASE
)
_RESOLUTIONS: Final = {"minute": "1m", "second": "1s", "hour": "1h", "daily": "1d"}
_DAY_MILLISECONDS: Final = 86_400_000


class LeanMarket(StrEnum):
    """What decides the scale and the zone of a LEAN file."""

    EQUITY = "equity"
    CRYPTO = "crypto"


_ZONES: Final = {LeanMarket.EQUITY: "America/New_York", LeanMarket.CRYPTO: "UTC"}


@dataclass(frozen=True, slots=True)
class _Entry:
    """The one file inside the zip; `day` only where its stamps are milliseconds since midnight."""

    path: Path
    name: str
    ticker: str
    day: dt.date | None
    timeframe: str | None


@dataclass(frozen=True, slots=True)
class _Reading:
    symbol: str
    zone: dt.tzinfo
    scale: int
    timeframe: str
    source: str


def read_lean(
    path: Path,
    *,
    symbol: str | None = None,
    timezone: str | None = None,
    timeframe: str | None = None,
    source: str = "lean",
    market: LeanMarket | None = None,
) -> ParsedFile:
    """
    Return the bars of a LEAN zip of trades: daily and hour (`yyyyMMdd HH:mm`) or minute and second
    (milliseconds since midnight of the day that the inner file is named by).

    Args:
        symbol: ticker; otherwise the one in the inner file's name.
        timezone: where the stamps were written; New York for equities, UTC for crypto if None.
        market: otherwise told by a folder named `equity` or `crypto`, then by the figures:
            scaled prices are whole numbers.

    Raises:
        UnreadableFileError: no zip, encrypted, too large, or nothing of six columns inside.
        RejectedRecordError: an argument is wrong.
    """
    zone = zone_of(timezone) if timezone else None
    entry = _find_entry(path)
    wanted = canonical_timeframe(timeframe) if timeframe else entry.timeframe
    survey, whole, lines = Survey(DateFormat("YMD")), True, 0
    for line, cells in _data_rows(entry):
        lines += 1
        if isinstance(cells, list):
            survey.add(line, cells[0] if entry.day is None else f"{entry.day:%Y%m%d}")
            whole = whole and not any("." in cell for cell in cells[1:])
    _form, settled = survey.settle(path, timeframe=wanted)
    chosen = market or _market_of_folder(path) or (LeanMarket.EQUITY if whole else LeanMarket.CRYPTO)
    reading = _Reading(
        symbol=symbol or entry.ticker,
        zone=zone or zone_of(_ZONES[chosen]),
        scale=EQUITY_SCALE if chosen is LeanMarket.EQUITY else 0,
        timeframe=settled,
        source=source,
    )
    return ParsedFile(path, reading.symbol, settled, source, lines, rows=lambda: _parse(entry, reading))


def _market_of_folder(path: Path) -> LeanMarket | None:
    folders = {part.casefold() for part in path.absolute().parts[:-1]}
    named = [market for market in LeanMarket if market.value in folders]
    return named[0] if len(named) == 1 else None


@contextmanager
def _unzipped(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except OSError as exc:
        raise UnreadableFileError(path, f"the file cannot be opened ({exc.strerror or exc})") from exc
    except (zipfile.BadZipFile, zlib.error, EOFError) as exc:
        raise UnreadableFileError(path, f"the zip is damaged or none ({exc})") from exc
    except NotImplementedError as exc:
        raise UnreadableFileError(path, f"the zip is packed in a way that cannot be read here ({exc})") from exc


def _find_entry(path: Path) -> _Entry:
    with _unzipped(path) as archive:
        entries = [info for info in archive.infolist() if info.filename.casefold().endswith(".csv")]
    if len(entries) != 1:
        raise UnreadableFileError(path, f"a LEAN zip of bars holds one .csv file, this one {len(entries)}")
    info = entries[0]
    if info.flag_bits & 1:
        raise UnreadableFileError(path, "the zip is encrypted")
    if info.file_size > ENTRY_BYTES_MAX or info.file_size > PACKED_RATIO_MAX * max(info.compress_size, 1):
        raise UnreadableFileError(
            path,
            f"{info.filename} unpacks to {info.file_size} bytes from {info.compress_size}: more than "
            f"{ENTRY_BYTES_MAX} bytes or {PACKED_RATIO_MAX} times its packed size is refused",
        )
    match = _ENTRY.fullmatch(info.filename.rpartition("/")[2])
    if match is None:
        raise UnreadableFileError(path, f"{info.filename} is not named as LEAN names bars")
    if (match["kind"] or "trade").casefold() != "trade":
        raise UnreadableFileError(path, f"no OHLC columns: {info.filename} holds {match['kind']}s, not trades")
    day = None
    if match["day"]:
        try:
            day = dt.date.fromisoformat(match["day"])
        except ValueError as exc:
            raise UnreadableFileError(path, f"{info.filename} is named by no day of the calendar") from exc
    return _Entry(path, info.filename, match["ticker"], day, _RESOLUTIONS.get((match["resolution"] or "").casefold()))


def _data_rows(entry: _Entry) -> Iterator[tuple[int, list[str] | Issue]]:
    with _unzipped(entry.path) as archive, archive.open(entry.name) as binary:
        stream: IO[str] = decoded(binary, mark=b"")
        for number, line in numbered_lines(stream):
            if line is None:
                yield number, Issue(number, "", "", f"a line of at most {LINE_MAX} characters")
                continue
            try:
                cells = split_cells(line, ",")
            except RejectedRecordError as exc:
                yield number, issue_of(number, exc)
                continue
            if len(cells) == len(COLUMNS):
                yield number, cells
            elif number == 1:
                rule = f"no OHLC columns: {len(cells)} columns where LEAN bars have {', '.join(COLUMNS)}"
                raise UnreadableFileError(entry.path, rule)
            else:
                rule = f"{len(COLUMNS)} columns, not {len(cells)}" if line.strip() else "an empty line"
                yield number, Issue(number, "", line, rule)


def _parse(entry: _Entry, reading: _Reading) -> Iterator[ParsedRow | Issue]:
    return parse_rows(_data_rows(entry), lambda cells, numbers: _bar_of(cells, numbers, entry.day, reading))


def _bar_of(cells: list[str], numbers: NumberCells, day: dt.date | None, reading: _Reading) -> Bar:
    wall = read_wall(cells[0], DateFormat("YMD")) if day is None else _wall_of_milliseconds(cells[0], day)
    open_, high, low, close = (
        CONTEXT.scaleb(numbers.read(field, cell), reading.scale)
        for field, cell in zip(COLUMNS[1:5], cells[1:5], strict=True)
    )
    volume = numbers.read("volume", cells[5])
    moment = to_utc(wall, cells[0], zone=reading.zone, dated=reading.timeframe in DATED)
    return Bar(reading.symbol, moment, reading.timeframe, open_, high, low, close, volume, None, reading.source)


def _wall_of_milliseconds(text: str, day: dt.date) -> Wall:
    if (
        not (text.isascii() and text.isdigit() and len(text) <= len(str(_DAY_MILLISECONDS)))
        or int(text) >= _DAY_MILLISECONDS
    ):
        raise RejectedRecordError("timestamp", text, "milliseconds since midnight, 0 to 86399999")
    return Wall(dt.datetime.combine(day, dt.time()) + dt.timedelta(milliseconds=int(text)), None)

"""Time stamps as files write them: read without guessing, then placed in UTC."""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from typing import Final, NamedTuple

from friren.errors import RejectedRecordError

__all__ = ["DateFormat", "Wall", "date_format_of", "read_wall", "to_utc", "zone_of"]

_DAY: Final = (
    r"(?:(?P<y>\d{4})(?P<s>[-/.])(?P<m>\d{1,2})(?P=s)(?P<d>\d{1,2})"
    r"|(?P<a>\d{1,2})(?P<t>[-/.])(?P<b>\d{1,2})(?P=t)(?P<year>\d{4})"
    r"|(?P<cy>\d{4})(?P<cm>\d\d)(?P<cd>\d\d))"
)
_TIME: Final = (
    r"(?:(?:T|\s+)?(?:(?P<H>\d{1,2}):(?P<M>\d\d)(?::(?P<S>\d\d)(?:[.,](?P<f>\d{1,9}))?)?"
    r"|(?P<cH>\d\d)(?P<cM>\d\d)(?P<cS>\d\d)?)\s*(?P<half>[AaPp][Mm])?"
    r"\s*(?P<zone>Z|UTC|GMT|[+-]\d\d:?\d\d)?)?"
)
_STAMP: Final = re.compile(_DAY + _TIME, re.ASCII)
# Seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by their length.
_EPOCH: Final = re.compile(r"(\d{9,10}|\d{13}|\d{16}|\d{19})(?:\.0+)?", re.ASCII)
_EPOCH_DIGITS: Final = {9: 0, 10: 0, 13: 3, 16: 6, 19: 9}
_STAMP_RULE: Final = "a date such as 2020-01-31, 2020-01-31 09:30, 31/01/2020 or 1/31/2020 9:30"
_EPOCH_START: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class DateFormat(NamedTuple):
    """How days are written: an order for dates that begin with day or month, or a pattern of strptime."""

    order: str = ""
    pattern: str = ""


class Wall(NamedTuple):
    """What the clock on the wall showed, and the offset if the stamp carries one."""

    naive: dt.datetime
    offset: dt.tzinfo | None


def date_format_of(text: str) -> DateFormat:
    """
    Return the date format a person asked for: `DMY`, `MDY`, `DD/MM/YYYY`, `YMD` or a strptime pattern.

    Raises:
        RejectedRecordError: it is none of them.
    """
    if "%" in text:
        return DateFormat(pattern=text)
    letters = "".join(dict.fromkeys(c for c in text.upper() if c.isalpha()))
    if letters in {"DMY", "DM"}:
        return DateFormat(order="DMY")
    if letters in {"MDY", "MD"}:
        return DateFormat(order="MDY")
    if letters in {"YMD", "ISO"}:
        return DateFormat(order="YMD")
    raise RejectedRecordError("date_format", text, "DMY, MDY, YMD or a pattern such as '%d %b %Y'")


def zone_of(name: str) -> dt.tzinfo:
    """
    Return the time zone `name` of the IANA database.

    Raises:
        RejectedRecordError: there is no such zone.
    """
    if name.upper() == "UTC":
        return dt.UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise RejectedRecordError("timezone", name, "a time zone such as UTC or America/New_York") from exc


def read_wall(text: str, form: DateFormat) -> Wall:
    """
    Return the stamp that `text` writes.

    Raises:
        RejectedRecordError: no date, no day of the calendar, or a day order that `form` does not settle.
    """
    if form.pattern:
        try:
            parsed = dt.datetime.strptime(text, form.pattern)  # noqa: DTZ007 - the zone is settled by to_utc()
        except ValueError as exc:
            raise RejectedRecordError("timestamp", text, f"a date like {form.pattern}") from exc
        return Wall(parsed.replace(tzinfo=None), parsed.tzinfo)
    match = _STAMP.fullmatch(text)
    if match is None:
        return _read_epoch(text)
    part = match.groupdict()
    try:
        day = _day_of(part, form)
        return Wall(dt.datetime.combine(day, _time_of(part)), _offset_of(part["zone"]))
    except ValueError as exc:
        raise RejectedRecordError("timestamp", text, f"a day and time that exist ({exc})") from exc


def _day_of(part: dict[str, str | None], form: DateFormat) -> dt.date:
    if part["a"] is not None:
        day, month = (part["a"], part["b"]) if form.order == "DMY" else (part["b"], part["a"])
        if form.order not in {"DMY", "MDY"}:
            raise ValueError(f"the date format is {form.order or 'not settled'}")
        return dt.date(int(part["year"] or 0), int(month or 0), int(day or 0))
    return dt.date(
        int(part["y"] or part["cy"] or 0), int(part["m"] or part["cm"] or 0), int(part["d"] or part["cd"] or 0)
    )


def _time_of(part: dict[str, str | None]) -> dt.time:
    hour = int(part["H"] or part["cH"] or 0)
    if half := part["half"]:
        if not 1 <= hour <= 12:
            raise ValueError("hour must be in 1..12 with AM or PM")
        hour = hour % 12 + (12 if half.upper() == "PM" else 0)
    fraction = (part["f"] or "").ljust(9, "0")
    if fraction[6:].strip("0"):
        raise ValueError("finer than a microsecond")
    return dt.time(hour, int(part["M"] or part["cM"] or 0), int(part["S"] or part["cS"] or 0), int(fraction[:6]))


def _offset_of(text: str | None) -> dt.tzinfo | None:
    if text is None:
        return None
    if text[0] not in "+-":
        return dt.UTC
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    return dt.timezone(dt.timedelta(minutes=-minutes if text[0] == "-" else minutes))


def _read_epoch(text: str) -> Wall:
    match = _EPOCH.fullmatch(text)
    if match is None:
        rule = "a date; the cell is empty" if not text else _STAMP_RULE
        raise RejectedRecordError("timestamp", text, rule)
    count, scale = int(match[1]), 10 ** _EPOCH_DIGITS[len(match[1])]
    seconds, rest = divmod(count, scale)
    moment = _EPOCH_START + dt.timedelta(seconds=seconds, microseconds=rest * 1_000_000 // scale)
    return Wall(moment.replace(tzinfo=None), dt.UTC)


def to_utc(wall: Wall, text: str, *, zone: dt.tzinfo | None, dated: bool) -> dt.datetime:
    """
    Return the moment of a stamp in UTC; 00:00 UTC of its calendar date when `dated`.

    Args:
        zone: where naive stamps were written, and where the calendar date of aware ones is taken; None for UTC.

    Raises:
        RejectedRecordError: a naive stamp that the zone's clock change skipped or showed twice.
    """
    naive, offset = wall
    try:
        if offset is not None and zone is not None:
            naive, offset = naive.replace(tzinfo=offset).astimezone(zone).replace(tzinfo=None), zone
        if dated:
            return dt.datetime(naive.year, naive.month, naive.day, tzinfo=dt.UTC)
        if wall.offset is not None:
            return wall.naive.replace(tzinfo=wall.offset).astimezone(dt.UTC)
        if zone is None or zone is dt.UTC:
            return naive.replace(tzinfo=dt.UTC)
        first, second = naive.replace(tzinfo=zone), naive.replace(tzinfo=zone, fold=1)
        moment = first.astimezone(dt.UTC)
    except OverflowError as exc:
        raise RejectedRecordError("timestamp", text, "within the years 1 to 9999 in UTC") from exc
    if first.utcoffset() != second.utcoffset():
        skipped = moment.astimezone(zone).replace(tzinfo=None) != naive
        rule = f"a time that the clocks of {zone} {'did not skip' if skipped else 'showed once'}; give stamps in UTC"
        raise RejectedRecordError("timestamp", text, rule)
    return moment

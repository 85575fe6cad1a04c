"""Files of headlines: CSV, JSON lines or what Yahoo answers, with symbols, and with labels if people gave any."""

from __future__ import annotations

import ast
import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from friren.errors import RejectedRecordError
from trading_engine.data.importers.json_stream import parse_json
from trading_engine.data.importers.parsed import Issue, UnreadableFileError, issue_of
from trading_engine.data.importers.records import SourceFile, opened
from trading_engine.data.importers.stamps import DateFormat, read_wall, to_utc
from trading_engine.data.importers.tables import Row, header_of, rows_of

__all__ = ["NewsItem", "read_news"]

# Far longer than any answer with news in it.
JSON_MAX: Final = 16 * 1024 * 1024
# What files call these columns; the first that a file has is taken.
_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "headline": ("headline", "title", "sentence", "text"),
    "symbol": ("symbol", "symbols", "ticker", "decisions"),
    "source": ("news_source", "source", "publisher"),
    "published": ("published_at", "published", "timestamp", "datetime", "date", "time"),
    "label": ("sentiment", "label"),
}
_LABEL: Final = r"positive|negative|neutral"
# {'Dr. Reddy's': 'positive', …}: the labels are a closed list, so that they tell where a name ends.
_PAIR: Final = re.compile(rf"\s*['\"](.+?)['\"]\s*:\s*['\"]({_LABEL})['\"]\s*(?:,|$)")


@dataclass(frozen=True, slots=True)
class NewsItem:
    """
    A headline and what it is about.

    Attributes:
        line: in the file, from 1; in an answer of Yahoo's the number of the item.
        symbols: at least one.
        published_at: aware UTC.
        labels: what people say it means, by symbol; those without one are left out.
    """

    line: int
    headline: str
    symbols: tuple[str, ...]
    source: str
    published_at: dt.datetime
    labels: Mapping[str, str] = field(default_factory=dict)


def read_news(
    path: Path, *, symbol: str | None = None, source: str | None = None, published_at: dt.datetime | None = None
) -> Iterator[NewsItem | Issue]:
    """
    Return the headlines of a file, and an Issue for each line that is none or was read in another way than written.

    CSV, JSON lines (`.jsonl`), or an answer of Yahoo's search (`.json`). Columns are found by name. A cell of symbols
    holds a ticker, or a Python dict of names and labels, as SEntFiN has it; one that Python cannot read, for the
    apostrophes in its names, is read by its labels and named.

    Args:
        symbol, source, published_at: of rows that have none of their own.

    Raises:
        UnreadableFileError: the file is missing or empty, or a column is missing for which nothing is given.
    """
    names, rows = _table(path)
    by_name = {name.strip().casefold(): name for name in names}
    columns = {
        role: next((by_name[known] for known in known_names if known in by_name), None)
        for role, known_names in _COLUMNS.items()
    }
    given = {"symbol": symbol, "source": source or path.stem, "published": published_at}
    for role in ("headline", "symbol", "published"):
        if columns[role] is None and given.get(role) is None:
            raise UnreadableFileError(
                path, f"there is no column for {role} ({', '.join(_COLUMNS[role])}); name it by option"
            )
    return _items(rows, columns, given)


def _table(path: Path) -> tuple[list[str], Iterable[Row | Issue]]:
    """Return the names of the columns, and the rows."""
    if path.suffix.casefold() != ".json":
        return header_of(path)[0], rows_of(SourceFile(path, lambda _file: iter(())))
    try:
        with opened(path) as stream:
            told = parse_json(stream.read(JSON_MAX))
        # The answer itself, or as node-yahoo-finance2 keeps it.
        answer = told.get("response", {}).get("bodyJson", told)
        items = [(item["title"], item["publisher"], str(item["providerPublishTime"])) for item in answer["news"]]
    except (AttributeError, KeyError, TypeError, ValueError) as exc:
        raise UnreadableFileError(path, f"no answer of Yahoo's search with news ({exc!r})") from exc
    names = ["title", "publisher", "time"]
    return names, [Row(number, dict(zip(names, item, strict=True))) for number, item in enumerate(items, 1)]


def _items(
    rows: Iterable[Row | Issue], columns: Mapping[str, str | None], given: Mapping[str, Any]
) -> Iterator[NewsItem | Issue]:
    for row in rows:
        if isinstance(row, Issue):
            yield row
            continue
        told = {role: row.values.get(name) if name else None for role, name in columns.items()}
        try:
            labels, changed = _symbols(told["symbol"] or given["symbol"], told["label"])
            yield NewsItem(
                line=row.line,
                headline=_text("headline", told["headline"]),
                symbols=tuple(labels),
                source=_text("source", told["source"] or given["source"]),
                published_at=_moment(told["published"], given["published"]),
                labels={name: label for name, label in labels.items() if label},
            )
        except RejectedRecordError as exc:
            yield issue_of(row.line, exc)
            continue
        if changed:
            yield _changed(row, columns["symbol"])


def _changed(row: Row, column: str | None) -> Issue:
    rule = "a Python dict; its apostrophes are not escaped, so it was read by its labels"
    return Issue(row.line, column or "", str(row.values[column or ""]), rule, rejected=False)


def _symbols(cell: Any, label: Any) -> tuple[dict[str, str], bool]:
    """Return ({symbol: label or ""}, whether the cell had to be read in another way than it claims)."""
    if isinstance(cell, Mapping):
        return _labelled(cell), False
    text = _text("symbol", cell)
    if not text.startswith("{"):
        return {text: _label(label) if label else ""}, False
    try:
        return _labelled(ast.literal_eval(text)), False
    except (SyntaxError, ValueError):
        pass
    inside, found, end = text.removeprefix("{").removesuffix("}"), {}, 0
    while match := _PAIR.match(inside, end):
        found[match[1]], end = match[2], match.end()
    if end < len(inside) or not found:
        raise RejectedRecordError("symbol", text, "a ticker, or a dict of names and labels")
    return _labelled(found), True


def _labelled(told: Any) -> dict[str, str]:
    if not isinstance(told, Mapping) or not told:
        raise RejectedRecordError("symbol", str(told), "a dict of at least one name and its label")
    return {_text("symbol", name): _label(label) for name, label in told.items()}


def _label(value: Any) -> str:
    label = str(value).strip().casefold()
    if not re.fullmatch(_LABEL, label):
        raise RejectedRecordError("label", value, "positive, negative or neutral")
    return label


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise RejectedRecordError(name, value, "is required")
    return value.strip()


def _moment(cell: Any, given: dt.datetime | None) -> dt.datetime:
    if cell is None:
        if given is None:
            raise RejectedRecordError("published", None, "is required")
        return given
    return to_utc(read_wall(str(cell), DateFormat("YMD")), str(cell), zone=None, dated=False)

"""
What is stored as DataFrames: trades, prices, positions, equity.

    import friren
    from friren import frames

    friren.setup()
    frames.trades(account="momentum", start=since)                 # pandas
    frames.prices(symbol="AAPL", library="polars", exact=True)     # polars, decimals

Numbers are float64 unless `exact=True` asks for the decimals that are stored (decimal128(38, 18): Decimal objects in
pandas, Decimal in polars). Times are aware, in UTC, to the microsecond. Ids and JSON documents are text. Needs the
extra friren[data].
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import enum
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal

from friren.errors import ConfigurationError, RejectedRecordError

__all__ = ["Column", "Kind", "Question", "equity", "positions", "prices", "read", "register_frame", "trades"]

Library = Literal["pandas", "polars", "arrow"]
LIBRARIES: Final = ("pandas", "polars", "arrow")
# A batch of Arrow: some megabytes while it is made.
ROWS_AT_ONCE: Final = 20_000


class Kind(enum.Enum):
    """What a column of a frame holds."""

    DECIMAL = enum.auto()
    FLOAT = enum.auto()
    INTEGER = enum.auto()
    FLAG = enum.auto()
    TIME = enum.auto()
    TEXT = enum.auto()
    # Ids and documents: text too, made by the database.
    AS_TEXT = enum.auto()


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, the field (or lookup path) that it is read from, and what it holds."""

    name: str
    path: str
    kind: Kind


@dataclasses.dataclass(frozen=True, slots=True)
class Question:
    """
    What a frame is read from.

    Attributes:
        rows: `rows(filters)` returns the QuerySet, in the order of the frame; it raises RejectedRecordError.
        columns: of the frame.
        filters: the names of what it can be narrowed by.
    """

    rows: Callable[[Mapping[str, Any]], Any]
    columns: Sequence[Column]
    filters: frozenset[str]


_questions: dict[str, Question] = {}


def register_frame(name: str, question: Question) -> None:
    """Let `read(name)` answer; upper floors register what they store (in AppConfig.ready())."""
    _questions[name] = question


def trades(
    *,
    account: Any = None,
    symbol: Any = None,
    strategy: str | None = None,
    start: dt.datetime | None = None,
    end: dt.datetime | None = None,
    exact: bool = False,
    library: Library = "pandas",
) -> Any:
    """
    Return fills as a frame, oldest first; busted ones are in it, with their status.

    Args:
        account: name or handle of books; all books unless given.
        symbol: ticker, (ticker, venue) or row.
        start, end: bounds of `executed_at`, aware; start included, end not.
        exact: decimals in place of floats.
        library: pandas, polars or arrow (a pyarrow.Table).

    Raises:
        ConfigurationError: the extra friren[data] is not installed, or there are no such books.
        RejectedRecordError: an argument breaks a rule.
    """
    told = {"account": account, "symbol": symbol, "strategy": strategy, "start": start, "end": end}
    return read("trades", told, exact=exact, library=library)


def prices(
    *,
    symbol: Any = None,
    timeframe: str | None = None,
    source: str | None = None,
    start: dt.datetime | None = None,
    end: dt.datetime | None = None,
    exact: bool = False,
    library: Library = "pandas",
) -> Any:
    """Return raw bars as a frame, by symbol and time. Arguments and errors as for `trades`."""
    told = {"symbol": symbol, "timeframe": timeframe, "source": source, "start": start, "end": end}
    return read("prices", told, exact=exact, library=library)


def positions(
    *,
    account: Any = None,
    symbol: Any = None,
    strategy: str | None = None,
    status: str | None = None,
    start: dt.datetime | None = None,
    end: dt.datetime | None = None,
    exact: bool = False,
    library: Library = "pandas",
) -> Any:
    """
    Return positions as a frame, by when they were opened: open ones, and closed ones, which are round trips.

    Facts that are not booked yet are booked before, of books that are named. Arguments and errors as for `trades`.

    Args:
        status: open or closed; both unless given.
        start, end: bounds of `opened_at`.
    """
    told = {
        "account": account, "symbol": symbol, "strategy": strategy, "status": status, "start": start, "end": end,
    }  # fmt: skip
    return read("positions", told, exact=exact, library=library)


def equity(
    *,
    account: Any = None,
    kind: str | None = None,
    start: dt.datetime | None = None,
    end: dt.datetime | None = None,
    exact: bool = False,
    library: Library = "pandas",
) -> Any:
    """
    Return how books stood as a frame, by time: the snapshots that PortfolioSnapshotter and imports kept.

    Arguments and errors as for `trades`.

    Args:
        kind: INTRADAY, DAILY or ACCOUNT_TOTALS; all unless given.
        start, end: bounds of `timestamp`.
    """
    told = {"account": account, "kind": kind, "start": start, "end": end}
    return read("equity", told, exact=exact, library=library)


def read(name: str, filters: Mapping[str, Any], *, exact: bool = False, library: str = "pandas") -> Any:
    """
    Return a registered frame. Arguments and errors as for `trades`.

    Args:
        filters: by name; None stands for "not given".
    """
    if library not in LIBRARIES:
        raise RejectedRecordError("library", library, f"one of {', '.join(LIBRARIES)}")
    question = _questions[name]
    unknown = sorted(set(filters) - question.filters)
    if unknown:
        raise RejectedRecordError(unknown[0], filters[unknown[0]], f"{name} are narrowed by other things")
    given = {key: value for key, value in filters.items() if value is not None}
    for bound in ("start", "end"):
        moment = given.get(bound)
        if moment is not None and (not isinstance(moment, dt.datetime) or moment.tzinfo is None):
            raise RejectedRecordError(bound, moment, "an aware datetime is wanted")
    table = _table(question.rows(given), question.columns, exact=exact)
    if library == "arrow":
        return table
    if library == "polars":
        return _module("polars").from_arrow(table)
    return table.to_pandas()


def _table(rows: Any, columns: Sequence[Column], *, exact: bool) -> Any:
    arrow = _module("pyarrow")
    schema = arrow.schema([(column.name, _type(arrow, column.kind, exact=exact)) for column in columns])
    batches = []
    for some in _chunks(rows, columns, exact=exact):
        arrays = [
            _array(arrow, values, field.type) for values, field in zip(zip(*some, strict=True), schema, strict=True)
        ]
        batches.append(arrow.record_batch(arrays, schema=schema))
    return arrow.Table.from_batches(batches, schema=schema)


def _array(arrow: Any, values: Any, kind: Any) -> Any:
    if arrow.types.is_decimal(kind):
        return arrow.array(values, type=arrow.string()).cast(kind)
    return arrow.array(values, type=kind)


def _chunks(rows: Any, columns: Sequence[Column], *, exact: bool) -> Iterator[list[tuple[Any, ...]]]:
    """Yield the values of rows, as psycopg reads them: past the converters of the ORM, which take most of the time."""
    from django.db import connections, transaction
    from django.db.models import F, FloatField, TextField
    from django.db.models.functions import Cast

    casts: dict[Kind, Callable[[], Any]] = {Kind.AS_TEXT: TextField}
    # As text to Arrow's own decimals: past Python's, which take three times as long.
    casts[Kind.DECIMAL] = TextField if exact else FloatField
    # Under names of their own: a column of the table may be called as one of the frame is.
    named = {
        f"frame_{place}": Cast(column.path, casts[column.kind]()) if column.kind in casts else F(column.path)
        for place, column in enumerate(columns)
    }
    query = rows.annotate(**named).values_list(*named)
    statement, parameters = query.query.get_compiler(query.db).as_sql()
    connection = connections[query.db]
    # A cursor on the server lives as long as its transaction.
    with (
        transaction.atomic(using=query.db),
        connection.wrap_database_errors,
        connection.cursor(),
        _reading(connection, statement, parameters) as found,
    ):
        while some := list(itertools.islice(found, ROWS_AT_ONCE)):
            yield some


@contextlib.contextmanager
def _reading(connection: Any, statement: str, parameters: Any) -> Iterator[Iterator[tuple[Any, ...]]]:
    from friren.core.ids import new_id

    with connection.connection.cursor(name=f"friren_frame_{new_id().hex}", binary=True) as cursor:
        cursor.itersize = ROWS_AT_ONCE
        cursor.execute(statement, parameters)
        yield iter(cursor)


def _type(arrow: Any, kind: Kind, *, exact: bool) -> Any:
    if kind is Kind.DECIMAL:
        return arrow.decimal128(38, 18) if exact else arrow.float64()
    return {
        Kind.FLOAT: arrow.float64(),
        Kind.INTEGER: arrow.int64(),
        Kind.FLAG: arrow.bool_(),
        Kind.TIME: arrow.timestamp("us", tz="UTC"),
    }.get(kind, arrow.string())


def _module(name: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError as exc:
        raise ConfigurationError(f"frames need the extra friren[data]: install {name}") from exc

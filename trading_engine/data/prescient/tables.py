"""The tables of Prescient's tree: their files, their columns in order, and what names a record."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from friren.errors import ConfigurationError, shown

__all__ = ["STAGES", "TABLES", "Column", "Kind", "Mode", "Table", "register_table", "table_named"]

# In this order a system leaves its files: what is worth most first, what is largest last.
STAGES: Final = ("trades", "history", "signals", "markets")


class Kind(enum.Enum):
    """What a column holds."""

    TEXT = enum.auto()
    NUMBER = enum.auto()
    RATIO = enum.auto()
    COUNT = enum.auto()
    TIME = enum.auto()
    DATE = enum.auto()
    FLAG = enum.auto()
    DATA = enum.auto()


class Mode(enum.Enum):
    """How its file is kept: with every record that ever was, or with those of the last writing alone."""

    APPEND = enum.auto()
    OVERWRITE = enum.auto()


@dataclass(frozen=True, slots=True)
class Column:
    """
    One column of a table.

    Attributes:
        name: of the source's documentation, and the one that is written.
        aliases: names under which Prescient or the API behind it writes the same.
        compared: whether file and database must agree on it; a mark that follows from prices need not.
    """

    name: str
    kind: Kind
    aliases: tuple[str, ...] = ()
    required: bool = False
    compared: bool = True


@dataclass(frozen=True, slots=True)
class Table:
    """
    One table of the tree.

    Attributes:
        path: of its file below the root; with `*` where there is one file a month.
        stage: of the migration, one of `STAGES`.
        within: the name in the file's document under which its records stand; "" where the file is their list.
        key: the columns that name a record.
        whole: the column that keeps what the source wrote of a record, all of it; "" for none.
    """

    name: str
    path: str
    stage: str
    mode: Mode
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    within: str = ""
    whole: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in their order."""
        return tuple(column.name for column in self.columns)

    @property
    def monthly(self) -> bool:
        """Whether it has one file a month."""
        return "*" in self.path

    @property
    def is_document(self) -> bool:
        """Whether its file is one record, and no list."""
        return not self.key

    def key_of(self, record: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return what names a record."""
        return tuple(record[name] for name in self.key)


def _columns(kind: Kind) -> Callable[..., tuple[Column, ...]]:
    return lambda *names, **told: tuple(Column(name, kind, **told) for name in names)


_text, _number, _time, _count = (_columns(kind) for kind in (Kind.TEXT, Kind.NUMBER, Kind.TIME, Kind.COUNT))
_ratio, _date, _flag, _data = (_columns(kind) for kind in (Kind.RATIO, Kind.DATE, Kind.FLAG, Kind.DATA))

_BET: Final = (*_text("market_id", required=True), *_text("market_question"), *_text("action", required=True))
_EVENT: Final = (*_text("event_id", "event_title"), *_time("event_end_date"))
_SIZE: Final = _number("liquidity", "volume", "volume24hr")

_PORTFOLIO: Final = (
    *_number("balance", "total_invested", "total_profit_loss", required=True),
    *_count("trade_count", required=True),
    *_time("created_at", compared=False),
    *_time("last_updated", required=True),
)
_POSITION: Final = (
    *_text("trade_id", required=True),
    *_BET,
    *_number("amount", "entry_price", required=True),
    *_time("entry_timestamp", required=True),
    *_text("status", required=True),
    *_number("current_pnl", compared=False),
    *_number("realized_pnl", "exit_price"),
    *_time("exit_timestamp"),
)
_TRADE: Final = (
    *_text("trade_id", required=True),
    *_time("timestamp", required=True),
    *_BET,
    *_number("amount", "entry_price", required=True),
    *_ratio("confidence"),
    *_text("reason"),
    # The file of trades is never rewritten: how a trade fared is told by its position.
    *_text("status", compared=False),
    *_EVENT,
    *_number("current_pnl", "realized_pnl", compared=False),
)
_SIGNAL: Final = (
    *_time("timestamp", required=True),
    *_BET,
    *_number("target_price", "amount", required=True),
    *_ratio("confidence", required=True),
    *_text("reason"),
    *_number("yes_price", "no_price", required=True),
    *_number("market_liquidity", "market_volume"),
    *_EVENT,
    *_flag("executed"),
    *_time("executed_at"),
    *_text("trade_id"),
)
_ARCHIVE: Final = (
    *_time("archived_at", required=True),
    *_text("archive_month"),
    *_count("signals_count"),
    *_data("signals_data", aliases=("signals",), required=True),
)
_DAY: Final = (
    *_date("snapshot_date", aliases=("date",), required=True),
    *_time("timestamp", required=True),
    *_number("balance", "total_invested", "total_profit_loss", "total_value", required=True),
    *_count("open_positions", "trade_count", required=True),
)
_EVENTS: Final = (
    *_text("event_id", aliases=("id",), required=True),
    *_text("title", required=True),
    *_text("slug"),
    *_SIZE,
    *_time("start_date", aliases=("startDate",)),
    *_time("end_date", aliases=("endDate",)),
    Column("days_until_end", Kind.COUNT),
    *_data("event_data", compared=False),
)
# Prescient reckons how long an event still lasts when it filters.
_RAW_EVENTS: Final = tuple(
    Column("days_until_end", Kind.COUNT, compared=False) if column.name == "days_until_end" else column
    for column in _EVENTS
)
_MARKETS: Final = (
    *_text("market_id", aliases=("id",), required=True),
    *_text("question", required=True),
    *_EVENT,
    *_SIZE,
    *_number("yes_price", "no_price", "market_conviction"),
    *_data("market_data", compared=False),
)

TABLES: Final = (
    Table("trades", "trades/paper_trades.json", "trades", Mode.APPEND, ("trade_id",), _TRADE),
    Table("portfolio", "trades/portfolio.json", "trades", Mode.OVERWRITE, (), _PORTFOLIO),
    Table(
        "positions", "trades/portfolio.json", "trades", Mode.OVERWRITE, ("trade_id",), _POSITION, within="positions"
    ),
    Table("portfolio_history", "history/portfolio_history.json", "history", Mode.APPEND, ("snapshot_date",), _DAY),
    Table("signal_archives", "history/signals_archive_*.json", "history", Mode.APPEND, ("archived_at",), _ARCHIVE),
    Table(
        "signals", "trades/current_signals.json", "signals", Mode.OVERWRITE, ("timestamp", "market_id", "action"),
        _SIGNAL,
    ),
    Table(
        "raw_events", "events/raw_events_backup.json", "markets", Mode.OVERWRITE, ("event_id",), _RAW_EVENTS,
        whole="event_data",
    ),
    Table(
        "events", "events/filtered_events.json", "markets", Mode.OVERWRITE, ("event_id",), _EVENTS, whole="event_data"
    ),
    Table(
        "markets", "markets/filtered_markets.json", "markets", Mode.OVERWRITE, ("market_id",), _MARKETS,
        whole="market_data",
    ),
)  # fmt: skip
_BY_NAME: Final = {table.name: table for table in TABLES}


def register_table(table: Table) -> None:
    """Let storages keep a table that is no part of Prescient's tree; upper floors register theirs."""
    _BY_NAME[table.name] = table


def table_named(name: str) -> Table:
    """
    Return the table `name`.

    Raises:
        ConfigurationError: there is no such table.
    """
    try:
        return _BY_NAME[name]
    except KeyError:
        raise ConfigurationError(f"table={shown(name)}: must be one of {', '.join(_BY_NAME)}") from None

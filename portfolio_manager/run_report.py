"""A finished run as people and as programs read it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final
from uuid import UUID

from rich import box
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from friren.core.numbers import plain
from portfolio_manager.analytics import KeyedPnl, Performance, RoundTrip, pnl_by

__all__ = ["RunReport", "print_report", "sparkline"]

CENT: Final = Decimal("0.01")
SPARK_COLUMNS: Final = 60
_BLOCKS: Final = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """
    What a run was and what came of it.

    Attributes:
        account: name of its book.
        bars, signals, orders, trades, regimes, risk_days: how many were seen or stored; trades are fills.
        final_equity: sum of the ledger plus open quantity × multiplier × last close, in `currency`.
        equity: value of the book at the close of each day, after the start.
        trips: every position, open ones at their last close.
        refusals: signals that became no order, by reason.
        journaled: records that are not stored yet, because the database is away.
        seconds: wall-clock time of the run.
    """

    run_id: UUID
    account: str
    strategies: tuple[str, ...]
    symbols: tuple[str, ...]
    starts_at: dt.datetime
    ends_at: dt.datetime
    currency: str
    bars: int
    signals: int
    orders: int
    trades: int
    regimes: int
    risk_days: int
    starting_cash: Decimal
    final_equity: Decimal
    equity: Sequence[tuple[dt.datetime, Decimal]]
    trips: Sequence[RoundTrip]
    refusals: Mapping[str, int]
    performance: Performance
    journaled: int = 0
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Return the run as plain JSON: money as text, ratios as numbers, times in ISO 8601."""
        figures = self.performance
        return {
            "run_id": str(self.run_id),
            "account": self.account,
            "strategies": list(self.strategies),
            "symbols": list(self.symbols),
            "starts_at": self.starts_at.isoformat(),
            "ends_at": self.ends_at.isoformat(),
            "bars": self.bars,
            "signals": self.signals,
            "orders": self.orders,
            "trades": self.trades,
            "round_trips": figures.trade_count,
            "refusals": dict(self.refusals),
            "regimes": self.regimes,
            "risk_days": self.risk_days,
            "currency": self.currency,
            "starting_cash": plain(self.starting_cash),
            "final_equity": plain(self.final_equity),
            "total_return": figures.total_return,
            "annualized_return": figures.annualized_return,
            "sharpe_ratio": figures.sharpe_ratio,
            "sortino_ratio": figures.sortino_ratio,
            "max_drawdown": figures.max_drawdown,
            "win_rate": figures.win_rate,
            "profit_factor": figures.profit_factor,
            "journaled": self.journaled,
            "seconds": round(self.seconds, 3),
        }


def sparkline(values: Sequence[Decimal], *, columns: int = SPARK_COLUMNS) -> str:
    """Return values as one line of blocks, lowest to highest; each column is the last value of its stretch."""
    if not values:
        return ""
    count = min(columns, len(values))
    shown = [values[(index + 1) * len(values) // count - 1] for index in range(count)]
    low, high = min(shown), max(shown)
    if low == high:
        return _BLOCKS[0] * count
    top = len(_BLOCKS) - 1
    return "".join(_BLOCKS[int((value - low) / (high - low) * top)] for value in shown)


def print_report(console: Console, report: RunReport) -> None:
    """Print what a run brought: figures, equity curve, profit by strategy and by regime."""
    title = f"{' + '.join(report.strategies)} on {', '.join(report.symbols)}"
    parts: list[RenderableType] = [_figures(report), Text(), _curve(report)]
    parts.append(_by("By strategy", pnl_by(report.trips, lambda trip: trip.strategy)))
    parts.append(_by("By regime at entry", pnl_by(report.trips, lambda trip: trip.regime or "none given")))
    if report.refusals:
        reasons = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in sorted(report.refusals.items()))
        parts.append(Text(f"Signals without an order: {reasons}", style="dim"))
    # Text and not str: names are printed as they are, and not read as markup.
    console.print(Panel(Group(*parts), title=Text(title), subtitle=Text(f"account {report.account}"), expand=False))
    if report.journaled:
        console.print(
            f"{report.journaled} records are on this machine's disk, for the database is away. When it answers again,"
            " `manage.py replay` stores them; the next process that writes to it does so too.",
            style="yellow",
        )


def _figures(report: RunReport) -> Table:
    figures = report.performance
    table = Table.grid(padding=(0, 3))
    for _ in range(2):
        table.add_column(style="dim")
        table.add_column(justify="right")
    rows = [
        ("Bars", f"{report.bars:,}", "Final equity", f"{_money(report.final_equity)} {report.currency}"),
        ("First", f"{report.starts_at:%Y-%m-%d}", "Total return", _percent(figures.total_return)),
        ("Last", f"{report.ends_at:%Y-%m-%d}", "Per year", _percent(figures.annualized_return)),
        ("Signals", f"{report.signals:,}", "Volatility", _percent(figures.volatility)),
        ("Trades", f"{report.trades:,}", "Sharpe ratio", _ratio(figures.sharpe_ratio)),
        ("Round trips", f"{figures.trade_count:,}", "Maximum drawdown", _percent(figures.max_drawdown)),
        ("Regime changes", f"{report.regimes:,}", "Win rate", _percent(figures.win_rate)),
        ("Risk snapshots", f"{report.risk_days:,}", "Profit factor", _ratio(figures.profit_factor)),
    ]
    for row in rows:
        table.add_row(*row)
    return table


def _curve(report: RunReport) -> Text:
    values = [report.starting_cash, *(value for _, value in report.equity)]
    text = Text("Equity  ", style="dim")
    text.append(sparkline(values), style="cyan")
    text.append(f"\n        from {_money(min(values))} to {_money(max(values))}", style="dim")
    return text


def _by(heading: str, groups: Sequence[KeyedPnl]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False, expand=False)
    table.add_column(heading, min_width=20)
    for column in ("Trips", "Open", "Won", "Commission", "Net profit"):
        table.add_column(column, justify="right")
    for group in groups:
        colour = "green" if group.net_pnl > 0 else "red" if group.net_pnl < 0 else ""
        table.add_row(
            Text(group.key),
            str(group.trips),
            str(group.trips - group.closed),
            _percent(group.win_rate),
            _money(group.commission),
            Text(_money(group.net_pnl), style=colour),
        )
    return table


def _money(value: Decimal) -> str:
    return f"{value.quantize(CENT, rounding=ROUND_HALF_EVEN):,}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.2%}"


def _ratio(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"

"""`manage.py analyze_pairs`: finds pairs among symbols, renews what is known of them, puts others aside."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser
from rich.table import Table

from friren.operations.command import BaseFrirenCommand, Report
from trading_engine.management.arguments import day
from trading_engine.management.bar_arguments import add_bar_arguments, add_pair_argument, load_bars, pairs_of
from trading_engine.pairs.finding import PairSearch, analyze_pairs
from trading_engine.services import PairRecorder

__all__ = ["Command"]

FIGURES = ("hedge_ratio", "t_statistic", "pvalue", "half_life", "correlation", "stability")


class Command(BaseFrirenCommand):
    help = "Estimate pairs of symbols by their closes: new ones are stored, known ones renewed or put aside."

    def add_arguments(self, parser: CommandParser) -> None:
        add_bar_arguments(parser)
        add_pair_argument(parser, help="Look at this pair alone, and store it whatever comes out.")
        parser.add_argument("--lookback", type=int, default=252, help="Closes of an estimate. Default: 252.")
        parser.add_argument("--max-pvalue", type=float, default=0.05, help="Of the cointegration test. Default: 0.05.")
        parser.add_argument("--max-half-life", type=float, help="Bars. Default: half the lookback.")
        parser.add_argument("--as-of", type=day, metavar="YYYY-MM-DD", help="Look at nothing later than this day.")

    def run(self, *, pair: list[list[str]], as_of: dt.datetime | None, **options: Any) -> Report:
        pairs = pairs_of(pair)
        names = ("lookback", "max_pvalue", "max_half_life")
        search = PairSearch(only=pairs, as_of=as_of, **{name: options.pop(name) for name in names})
        loaded = load_bars(only={symbol for one in pairs for symbol in one}, **options)
        with PairRecorder() as recorder:
            found = analyze_pairs(loaded.series, search, recorder=recorder)
        outcomes = [one.outcome.value for one in found if one.outcome is not None]
        return {
            "examined": len(found),
            "unusable": sum(one.estimate is None for one in found),
            "active": sum(one.is_active for one in found),
            **{name.lower(): outcomes.count(name) for name in ("STORED", "DUPLICATE", "JOURNALED")},
            "pairs": [
                {"symbols": list(one.symbols), "is_active": one.is_active, "reason": one.reason,
                 **({} if one.estimate is None else asdict(one.estimate))}
                for one in found if pairs or one.outcome is not None
            ],
        }  # fmt: skip

    def show(self, report: Report) -> None:
        table = Table("Pair", "Bars", *(name.replace("_", " ").capitalize() for name in FIGURES), "Traded")
        for one in report["pairs"]:
            figures = ["–" if one.get(name) is None else f"{one[name]:.6g}" for name in FIGURES]
            table.add_row(
                "/".join(one["symbols"]),
                str(one.get("observations", "–")),
                *figures,
                "yes" if one["is_active"] else "no",
            )
        self.console.print(table)
        self.console.print(f"{report['active']} of {report['examined']} pairs are traded, {report['stored']} changed.")

"""`manage.py prediction_cycle`: trade a strategy on the saved answers of a prediction venue, on paper."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from friren.operations.command import BaseFrirenCommand, Report
from portfolio_manager.prediction_runs import SOURCE, run_exports
from trading_engine.management.arguments import cash
from trading_engine.strategies import MARKET_STRATEGIES

__all__ = ["Command"]


class Command(BaseFrirenCommand):
    help = "Take the saved answers of a prediction venue through the paper-trading cycle, the oldest first."

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("paths", nargs="+", type=Path, metavar="PATH", help="Files, or folders of them.")
        add("--source", default=SOURCE, choices=(SOURCE,), help="Which venue wrote them (default: %(default)s).")
        add("--account", default="prediction", metavar="NAME", help="PAPER books, opened if needed (%(default)s).")
        add("--starting-cash", type=cash, default="10000", help="Of books that are opened (default: %(default)s).")
        add("--strategy", default="overround", metavar="NAME", help=f"One of {', '.join(MARKET_STRATEGIES)}.")
        add("--edge", type=float, default=0.01, help="From which overround on to bet (default: %(default)s).")
        add("--stake", type=cash, default="100", help="What a group of bets costs (default: %(default)s).")

    def run(self, *, paths: list[Path], strategy: str, edge: float, **options: Any) -> Report:
        asked = {name: options[name] for name in ("source", "account", "starting_cash", "stake")}
        return run_exports(paths, strategy=strategy, parameters={"edge": edge}, **asked)

"""`manage.py backtest`: a strategy over one's own bars, stored like live trading."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from friren.operations.command import BaseFrirenCommand, Report
from portfolio_manager.backtests import BacktestPlan, run_backtest
from portfolio_manager.progress import progress_bar
from portfolio_manager.run_report import RunReport, print_report
from trading_engine.management.bar_arguments import add_bar_arguments, add_regime_arguments, load_bars, vix_closes
from trading_engine.regime import create_detector
from trading_engine.strategies import MODEL_STRATEGIES, STRATEGIES, create_strategy

__all__ = ["Command"]


class Command(BaseFrirenCommand):
    help = "Run a strategy over bars from files or from the price table, in a book of its own."

    def add_arguments(self, parser: CommandParser) -> None:
        add_bar_arguments(parser)
        add_regime_arguments(parser)
        names = ", ".join([*STRATEGIES, *MODEL_STRATEGIES])
        parser.add_argument("--strategy", required=True, metavar="NAME", help=f"One of {names}.")
        parser.add_argument("--model", metavar="NAME", help="Of model_signals: what train_model made.")
        parser.add_argument("--engine", default="reference", help="Only `reference`, the event loop of Friren.")
        parser.add_argument("--account", default="", metavar="NAME", help="Name of the new book; made up if not given.")

    def run(
        self, *, strategy: str, engine: str, account: str, model: str | None, detector: str, vix: Any, **options: Any
    ) -> Report:
        if engine != "reference":
            raise CommandError(f"there is no engine {engine}: the one there is is called reference", returncode=2)
        parameters = {} if model is None else {"model": model}
        create_strategy(strategy, **parameters)
        closes = vix_closes(vix)
        create_detector(detector, vix=closes)
        loaded = load_bars(**options)
        plan = BacktestPlan(
            series=loaded.series,
            strategies=[strategy],
            parameters={strategy: parameters},
            account=account,
            detector=detector,
            vix=closes,
        )
        with progress_bar(strategy, total=len(loaded.bars)) as advance:
            self.report = run_backtest(plan, progress=advance)
        return {**self.report.as_json(), "rejected_lines": loaded.rejected, "repeated_bars": loaded.repeated}

    report: RunReport

    def show(self, report: Report) -> None:
        print_report(self.console, self.report)
        if report["rejected_lines"] or report["repeated_bars"]:
            self.console.print(
                f"Left out: {report['rejected_lines']} lines that are no bar, {report['repeated_bars']} repeated bars."
            )

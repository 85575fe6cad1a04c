"""`manage.py backtest`: a strategy over one's own bars, stored like live trading."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from friren.operations.command import BaseFrirenCommand, Report
from portfolio_manager.backtests import BacktestPlan, run_backtest
from portfolio_manager.progress import progress_bar
from portfolio_manager.run_report import RunReport, print_report
from trading_engine.management.arguments import parameter
from trading_engine.management.bar_arguments import (
    add_bar_arguments,
    add_pair_argument,
    add_regime_arguments,
    load_bars,
    pairs_of,
    vix_closes,
)
from trading_engine.regime import create_detector
from trading_engine.strategies import (
    MODEL_STRATEGIES,
    PAIR_STRATEGIES,
    STRATEGIES,
    create_pair_strategy,
    create_strategy,
)

__all__ = ["Command"]


class Command(BaseFrirenCommand):
    help = "Run a strategy over bars from files or from the price table, in a book of its own."

    def add_arguments(self, parser: CommandParser) -> None:
        add_bar_arguments(parser)
        add_regime_arguments(parser)
        names = ", ".join([*STRATEGIES, *MODEL_STRATEGIES, *PAIR_STRATEGIES])
        parser.add_argument("--strategy", required=True, metavar="NAME", help=f"One of {names}.")
        add_pair_argument(parser, help="Of the strategy `pairs`: two symbols to trade against each other.")
        parser.add_argument(
            "--set", nargs="+", type=parameter, default=[], metavar="NAME=VALUE", help="Of the strategy."
        )
        parser.add_argument("--user", default="", metavar="NAME", help="Whose position size and risk tolerance to use.")
        parser.add_argument("--model", metavar="NAME", help="Of model_signals: what train_model made.")
        parser.add_argument("--engine", default="reference", help="Only `reference`, the event loop of Friren.")
        parser.add_argument("--account", default="", metavar="NAME", help="Name of the new book; made up if not given.")

    def run(
        self, *, strategy: str, engine: str, account: str, model: str | None, detector: str, vix: Any, **options: Any
    ) -> Report:
        if engine != "reference":
            raise CommandError(f"there is no engine {engine}: the one there is is called reference", returncode=2)
        pairs, parameters = pairs_of(options.pop("pair")), dict[str, Any](options.pop("set"))
        if bool(pairs) != (strategy in PAIR_STRATEGIES):
            raise CommandError("--pair goes with the strategy pairs, which needs at least one", returncode=2)
        if model is not None:
            parameters["model"] = model
        (create_pair_strategy if pairs else create_strategy)(strategy, **parameters)
        vix_read = vix_closes(vix)
        create_detector(detector, vix=vix_read)
        traded = {symbol for pair in pairs for symbol in pair}
        loaded = load_bars(only=traded, **options)
        series = {symbol: bars for symbol, bars in loaded.series.items() if not traded or symbol in traded}
        plan = BacktestPlan(series=series, strategies=[strategy], account=account, detector=detector, vix=vix_read,
                            pairs=pairs, parameters={strategy: parameters}, user=options["user"])  # fmt: skip
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

"""`manage.py demo`: the main job on twenty years of real bars, in under a minute."""

from __future__ import annotations

import sys
import time
from typing import Any

from django.core.management.base import CommandParser

from friren.operations.command import BaseFrirenCommand, Report
from portfolio_manager.backtests import BacktestPlan, run_backtest
from portfolio_manager.progress import progress_bar
from portfolio_manager.run_report import RunReport, print_report
from portfolio_manager.staff_user import FIRST_STAFF_USERNAME, make_first_staff_user
from trading_engine.backtesting.sample_bars import sample_series, sample_vix
from trading_engine.management.bar_arguments import detector
from trading_engine.regime import DEFAULT_DETECTOR, DETECTORS
from trading_engine.services.price_recorder import PriceRecorder
from trading_engine.strategies import STRATEGIES

__all__ = ["Command"]


class Command(BaseFrirenCommand):
    help = "Load the S&P 500 and NASDAQ of 1999 to 2018, detect regimes, trade three strategies, store and report it."

    report: RunReport
    staff = "a staff user"

    def add_arguments(self, parser: CommandParser) -> None:
        names = ", ".join(DETECTORS)
        default = DEFAULT_DETECTOR
        parser.add_argument("--detector", type=detector, default=default, metavar="NAME", help=f"One of {names}.")

    def run(self, *, detector: str, **_: Any) -> Report:
        began = time.perf_counter()
        series = sample_series()
        bars = [bar for symbol in sorted(series) for bar in series[symbol]]
        with PriceRecorder() as prices:
            prices.record_bars(bars)
        plan = BacktestPlan(
            series=series, strategies=tuple(STRATEGIES), label="demo", detector=detector, vix=sample_vix()
        )
        with progress_bar("Trading", total=len(bars)) as advance:
            self.report = run_backtest(plan, progress=advance)
        if not self.report.journaled:
            self._make_staff()
        return {**self.report.as_json(), "seconds": round(time.perf_counter() - began, 3)}

    def _make_staff(self) -> None:
        password = make_first_staff_user()
        if password is not None:
            self.staff = f"{FIRST_STAFF_USERNAME}, with the password shown once above"
            sys.stderr.write(f"Staff user {FIRST_STAFF_USERNAME}, password (shown once): {password}\n")

    def show(self, report: Report) -> None:
        print_report(self.console, self.report)
        if self.report.journaled:
            return
        self.console.print(
            f"\nEverything above is stored, in {report['seconds']:.1f} s. To look at it, run"
            f"\n  {self._program()} runserver"
            f"\nand open http://127.0.0.1:8000/admin/ as {self.staff}."
        )

    @staticmethod
    def _program() -> str:
        # In a checkout as the README says it; an installed wheel has the program `friren`.
        return "python3 -m uv run manage.py" if sys.argv[0].endswith("manage.py") else "friren"

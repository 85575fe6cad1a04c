"""`manage.py train_model`: gradient-boosted trees over one's bars, by a walk forward, with everything logged."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from functools import partial
from typing import Any

from django.core.management.base import CommandParser
from rich.table import Table

from friren.errors import RejectedRecordError
from friren.operations.command import BaseFrirenCommand, Report
from trading_engine.learning import TrainingPlan, check_model_id, model_shelf
from trading_engine.management.arguments import watched
from trading_engine.management.bar_arguments import add_bar_arguments, load_bars
from trading_engine.services.model_tracker import ModelTracker
from trading_engine.services.model_training import train_model

__all__ = ["Command"]

COUNTS = ("stored", "duplicates", "journaled", "resolved")


class Command(BaseFrirenCommand):
    help = (
        "Train a model over bars by a walk forward; log versions, predictions and outcomes. A second run adds nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", type=_model_id, metavar="NAME", help="Of the model: letters, digits, . _ -")
        add_bar_arguments(parser)
        default = TrainingPlan()
        parser.add_argument("--horizon", type=int, default=default.horizon, help="Bars that a prediction looks ahead.")
        parser.add_argument("--first-bars", type=int, default=default.first_bars, help="Moments before the first fit.")
        parser.add_argument("--step-bars", type=int, default=default.step_bars, help="Moments between fits.")

    def run(self, *, name: str, horizon: int, first_bars: int, step_bars: int, **options: Any) -> Report:
        plan = TrainingPlan(horizon=horizon, first_bars=first_bars, step_bars=step_bars)
        series = load_bars(**options).series
        with ModelTracker() as tracker, watched() as bar:
            progress = partial(bar.advance, bar.add_task(name, total=None))
            done = train_model(
                series, model_id=name, shelf=model_shelf(), tracker=tracker, plan=plan, progress=progress
            )
        self.failed = bool(done.rejected)
        counts = {each: getattr(done, each) for each in COUNTS}
        versions = [{**asdict(each), "fitted_at": each.fitted_at.isoformat()} for each in done.versions]
        head = {"model_id": name, "folder": str(done.folder), "accuracy": done.accuracy}
        return {**head, **counts, "rejected": done.rejected, "versions": versions}

    def show(self, report: Report) -> None:
        table = Table("version", "learnt from", "foretold", "right", "rises", "Brier", "most by", box=None)
        for each in report["versions"]:
            strongest = max(each["shap_summary"].items(), key=lambda item: item[1])[0]
            right = each["correct"] / each["judged"] if each["judged"] else None
            shares = (_share(right), _share(each["rises"]), _share(each["brier"]))
            table.add_row(each["version"], str(each["samples"]), str(each["predictions"]), *shares, strongest)
        self.console.print(table)
        counts = ", ".join(f"{report[name]} {name}" for name in COUNTS)
        self.console.print(
            f"{report['model_id']}: right in {_share(report['accuracy'])}; {counts}; in {report['folder']}"
        )
        for line in report["rejected"]:
            self.console.print(line, markup=False, highlight=False)


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _model_id(text: str) -> str:
    try:
        return check_model_id(text)
    except RejectedRecordError as exc:
        raise argparse.ArgumentTypeError(f"{exc.value!r}: {exc.rule}") from exc

"""`manage.py score_news`: how headlines sound, by VADER or by a FinBERT of one's own, stored."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from rich.markup import escape

from friren.operations.command import BaseFrirenCommand, Report
from trading_engine.data.importers.news import read_news
from trading_engine.management.arguments import day, ticker, watched
from trading_engine.sentiment import SCORERS, create_scorer
from trading_engine.services.news_scoring import score_news
from trading_engine.services.sentiment_logger import SentimentLogger

__all__ = ["Command"]

LINES_SHOWN = 20
COUNTS = ("headlines", "inserted", "duplicates", "journaled", "rejected", "changed")


class Command(BaseFrirenCommand):
    help = "Score a file of headlines and store the scores. Scoring a file again adds nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("file", type=Path, metavar="FILE", help="CSV or JSON lines, with columns headline, symbol, published_at, …")
        add("--scorer", choices=SCORERS, default="vader", help="vader unless given.")
        add("--model", type=Path, metavar="FOLDER", help="Of finbert: where its exported model lies.")
        add("--symbol", type=ticker, help="What headlines without a symbol are about.")
        add("--source", help="Who published headlines without a source: the name of the file unless given.")
        add("--published", type=day, metavar="DAY", help="When headlines without a time were published, in UTC.")

    def run(self, *, file: Path, scorer: str, model: Path | None, published: Any, **options: Any) -> Report:
        judge = create_scorer(scorer, model=model)
        news = read_news(file, symbol=options["symbol"], source=options["source"], published_at=published)
        with SentimentLogger() as logger, watched() as bar:
            progress = partial(bar.advance, bar.add_task(file.name, total=None))
            done = score_news(news, scorer=judge, logger=logger, progress=progress)
        self.failed = not done.inserted + done.duplicates + done.journaled
        rows = {name: [asdict(row) for row in getattr(done, name)] for name in ("rejected_rows", "changed_rows")}
        counts = {name: getattr(done, name) for name in COUNTS}
        single = done.single.as_json()
        return {"model_id": done.model_id, **counts, **done.agreement.as_json(), "single_symbol": single, **rows}

    def show(self, report: Report) -> None:
        counts = ", ".join(f"{report[name]} {name}" for name in COUNTS)
        self.console.print(f"{report['model_id']}: {counts}")
        if report["labelled"]:
            self.console.print(f"agrees with {report['accuracy']:.1%} of {report['labelled']} labels")
        for row in [*report["rejected_rows"], *report["changed_rows"]][:LINES_SHOWN]:
            place = f"line {row['line']}: {row['field']} {row['value']!r}: {row['rule']}"
            self.console.print(escape(place), highlight=False, soft_wrap=True)
        if (more := report["rejected"] + report["changed"] - LINES_SHOWN) > 0:
            self.console.print(f"… and {more} more; --json lists them")

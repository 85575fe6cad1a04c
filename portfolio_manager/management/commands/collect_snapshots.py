"""`manage.py collect_snapshots`: keep what there is to see now, for whoever decides next."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from friren.accounts import find_account
from friren.operations.command import BaseFrirenCommand, Report
from portfolio_manager.collecting import calendar_of_file, collect_snapshots, watched_symbols

__all__ = ["Command"]


class Command(BaseFrirenCommand):
    help = "Store candles, indicators, news, calendar and account as they stand now, under one reference."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "symbols", nargs="*", metavar="SYMBOL", help="Watchlists of active strategies unless given."
        )
        parser.add_argument("--account", action="append", metavar="NAME", help="May be repeated (default: default).")
        parser.add_argument("--timeframe", default="1d", help="Of the bars (default: %(default)s).")
        parser.add_argument("--source", help="Of the bars; that of the newest one unless given.")
        parser.add_argument("--calendar", type=Path, metavar="FILE", help="Events of the economic calendar, CSV.")

    def run(self, *, symbols: list[str], account: list[str] | None, timeframe: str, source: str | None,
            calendar: Path | None, **_: Any) -> Report:  # fmt: skip
        at = timezone.now()
        events = [] if calendar is None else calendar_of_file(calendar)
        wanted = symbols or watched_symbols()
        # Where nobody watches anything there is nothing to keep.
        accounts = [find_account(name) for name in account or (None,)] if wanted else []
        collected = [
            collect_snapshots(one, at=at, symbols=wanted, timeframe=timeframe, source=source, calendar=events)
            for one in accounts
        ]
        return {"symbols": len(wanted), "collected": [dataclasses.asdict(one) for one in collected]}

"""`manage.py evaluate_strategies`: what do the strategies make of what was collected?"""

from __future__ import annotations

import dataclasses
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from friren.accounts import find_account
from friren.operations.command import BaseFrirenCommand, Report
from portfolio_manager.strategy_ideas import evaluate_strategies

__all__ = ["Command"]


class Command(BaseFrirenCommand):
    help = "Put active strategies before the newest snapshots; what they propose goes through the risk gate."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--account", action="append", metavar="NAME", help="May be repeated (default: default).")
        parser.add_argument("--timeframe", default="1d", help="Of the snapshots (default: %(default)s).")

    def run(self, *, account: list[str] | None, timeframe: str, **_: Any) -> Report:
        at = timezone.now()
        accounts = [find_account(name) for name in account or (None,)]
        done = [evaluate_strategies(one, at=at, timeframe=timeframe) for one in accounts]
        return {
            "accounts": [
                {"account": one.name, **dataclasses.asdict(found)} for one, found in zip(accounts, done, strict=True)
            ]
        }

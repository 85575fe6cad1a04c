"""`manage.py explain TRADE_ID`: why was this trade made, and what came of it?"""

from __future__ import annotations

import dataclasses
from typing import Any
from uuid import UUID

import msgspec
from django.core.management.base import CommandError, CommandParser
from rich.table import Table

from friren.operations.command import BaseFrirenCommand, Report
from friren.operations.jsontext import json_ready
from portfolio_manager.explaining import explain_trade

__all__ = ["Command"]


class Command(BaseFrirenCommand):
    help = "Tell why a trade was made: signal, idea, gate, decisions, order, fills, positions, and what was seen."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("trade", type=UUID, metavar="TRADE_ID", help="Id of the trade.")

    def run(self, *, trade: UUID, **_: Any) -> Report:
        found = explain_trade(trade)
        if found is None:
            raise CommandError(f"{trade}: there is no such trade")
        told = {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}
        return {**told, "gate": found.gate, "realized_pnl": found.realized_pnl}

    def show(self, report: Report) -> None:
        for name, value in report.items():
            rows = value if isinstance(value, (list, tuple)) else [value]
            for row in filter(None, rows):
                table = Table(title=name.replace("_", " "), title_justify="left", show_header=False, box=None)
                told = msgspec.to_builtins(row) if isinstance(row, msgspec.Struct) else json_ready(row)
                for key, item in (told if isinstance(told, dict) else {"": told}).items():
                    if item not in (None, "", [], {}):
                        table.add_row(str(key), str(json_ready(item)))
                self.console.print(table)

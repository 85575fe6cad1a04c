"""`manage.py metrics`: how busy the database is, how large, and how fast it grows."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser
from rich.table import Table

from friren.operations.command import BaseFrirenCommand, Report
from friren.operations.metrics import collect, growth
from friren.operations.metrics import record as store
from friren.operations.metrics.calls import figures_of
from friren.operations.metrics.statements import slow_statements

__all__ = ["Command"]


class Command(BaseFrirenCommand):
    help = "Connections, queries, storage, throughput and the write path; --record keeps them for trends."
    time_limits = True  # monitoring does not wait for a server in trouble

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--record", action="store_true", help="Store every figure as a MetricSample.")
        parser.add_argument("--slow-queries", action="store_true", help="The ten statements that cost most.")

    def run(self, *, record: bool, slow_queries: bool, **_: Any) -> Report:
        figures = collect()
        tables = {name: {"bytes": size, "rows": rows} for name, (size, rows) in figures.storage["tables"].items()}
        services = {f"{one.service}.{one.method}": figures_of(one) for one in figures.calls}
        return {
            "pool": figures.pool,
            "queries": {**figures.queries, "services": services, **(slow_statements() if slow_queries else {})},
            "storage": {**figures.storage, "tables": tables, "growth_per_day": growth(figures)},
            "throughput": figures.throughput,
            "write_path": figures.write_path,
            "recorded": store(figures) if record else 0,
        }

    def show(self, report: Report) -> None:
        table = Table(show_header=False, box=None)
        for part in ("pool", "queries", "storage", "throughput", "write_path"):
            for name, value in report[part].items():
                if isinstance(value, int | float):
                    table.add_row(part.replace("_", " "), name.replace("_", " "), f"{value:,}")
        for name, count in report["pool"]["connections"].items():
            table.add_row("pool", f"connections {name}", str(count))
        self.console.print(table)
        for name, call in report["queries"]["services"].items():
            line = f" {name}: {call['count']:,} calls, p50 {call['p50_ms']} ms, p95 {call['p95_ms']} ms"
            self.console.print(line, markup=False, soft_wrap=True)
        for one in report["queries"].get("statements", ()):
            line = f"{one['total_ms']:12,.0f} ms {one['calls']:>10,} × {one['query']}"
            self.console.print(line, markup=False, soft_wrap=True)
        if hint := report["queries"].get("hint"):
            self.console.print(f"PostgreSQL does not count its statements: {hint}", markup=False, soft_wrap=True)

"""What was measured: as tables, and as JSON."""

from __future__ import annotations

import dataclasses
import datetime as dt
import importlib.metadata
import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.benchmarks.rounds import Line, Section

__all__ = ["machine", "markdown", "replace_figures", "show", "show_memory", "write_json"]

PACKAGES = ("django", "psycopg", "sqlalchemy", "peewee", "asyncpg", "msgspec")
CAPTION = "Time against the reference of each table, and trades per second by the number of threads"
FIGURES_BEGIN, FIGURES_END = "<!-- figures -->", "<!-- end of figures -->"


def show(section: Section) -> None:
    """Print a table."""
    table = Table(title=f"{section.title} (reference: {section.reference})", title_justify="left")
    measured = ("p50 µs", "p99 µs", "ratio", "min – max", "p99 ratio", "CPU µs", "server's", "CPU ratio")
    for heading in ("", *measured, "budget", ""):
        table.add_column(heading, justify="left" if not heading else "right")
    for line in section.lines:
        verdict = {True: "met", False: "missed", None: ""}[line.met]
        table.add_row(
            line.name, f"{line.p50 * 1e6:,.1f}", f"{line.p99 * 1e6:,.1f}", f"{line.ratio:.2f}",
            f"{line.ratio_min:.2f} – {line.ratio_max:.2f}", f"{line.p99_ratio:.2f}",
            f"{line.cpu * 1e6:,.1f}", f"{line.server_cpu * 1e6:,.1f}", f"{line.cpu_ratio:.2f}", _bound(line), verdict,
        )  # fmt: skip
    Console(width=140).print(table)


def show_memory(found: dict[str, Any]) -> None:
    """Print the peaks of memory."""
    table = Table(title="Peak memory over that of a process that loads 100 trades", title_justify="left")
    for heading in ("", "trades", "MB", "budget"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, peak in found["methods"].items():
        budget = f"≤ {found['budget_mb']}" if name.startswith("Friren") else ""
        table.add_row(name, f"{peak['rows']:,}", f"{peak['mb']:,.0f}", budget)
    Console(width=140).print(table)


def _ratio(value: float) -> str:
    return f"{value:.2f}" if value >= 0.1 else f"{value:.4f}"


def _bound(line: Line) -> str:
    if line.budget is None:
        return ""
    return f"≤ {line.budget.bound:.3g}" + (f" (p99 {line.budget.p99:.3g})" if line.budget.p99 else "")


def markdown(sections: Sequence[Section], about: dict[str, Any]) -> str:
    """Return everything that was measured as tables of a page."""
    machine, server = about["machine"], about["server"]
    sizes = ", ".join(f"{name} {value:,}" for name, value in about["sizes"].items() if isinstance(value, int))
    settings = ", ".join(f"{name} {value}" for name, value in server.items() if name != "server_version")
    where = f"{machine['processors']} processors, {machine['system']}, Python {machine['python']}"
    before, after = machine["load"], about.get("load_after", machine["load"])
    lines = [
        f"{where}, PostgreSQL {server['server_version']} ({settings}).",
        f"A commit waits {about['flush_us']:.0f} µs for the disk at least.",
        f"The machine's load average was {before:.1f} before the run and {after:.1f} after it.",
        f"It was on {machine['at'][:10]} and took {about.get('seconds', 0) / 60:.0f} minutes.",
        f"Sizes: {sizes}.",
    ]
    for section in sections:
        lines += ["", f"### {section.title} (`{section.name}`)", "", *_rows_of(section)]
    if "memory" in about:
        found = about["memory"]
        lines += ["", "### Peak memory over that of a process that loads 100 trades (`memory`)", ""]
        lines += ["| | trades | MB | budget |", "|---|---|---|---|"]
        for name, peak in found["methods"].items():
            budget = ""
            if name.startswith("Friren"):
                budget = f"≤ {found['budget_mb']}: {'met' if peak['mb'] <= found['budget_mb'] else 'missed'}"
            lines.append(f"| {name} | {peak['rows']:,} | {peak['mb']:,.0f} | {budget} |")
    return "\n".join(lines) + "\n"


def replace_figures(page: Path, figures: str) -> None:
    """Put the tables of a run in the place of those that stand between the marks of a page."""
    before, _mark, rest = page.read_text(encoding="utf-8").partition(FIGURES_BEGIN)
    _old, end, after = rest.partition(FIGURES_END)
    if not end:
        raise ValueError(f"{page} has no {FIGURES_BEGIN} … {FIGURES_END}")
    picture = f"![{CAPTION}]({page.stem}.png)"
    page.write_text(f"{before}{FIGURES_BEGIN}\n\n{picture}\n\n{figures}\n{FIGURES_END}{after}", encoding="utf-8")


def _rows_of(section: Section) -> list[str]:
    rows = ["| | p50 µs | ratio (min – max) | p99 ratio | CPU µs | server's | CPU ratio | budget |", "|---" * 8 + "|"]
    for line in section.lines:
        verdict = {True: ": met", False: ": missed", None: ""}[line.met]
        spread = f"{_ratio(line.ratio_min)} – {_ratio(line.ratio_max)}"
        rows.append(
            f"| {line.name} | {line.p50 * 1e6:,.1f} | {_ratio(line.ratio)} ({spread}) "
            f"| {line.p99_ratio:.2f} | {line.cpu * 1e6:,.1f} | {line.server_cpu * 1e6:,.1f} | {line.cpu_ratio:.2f} "
            f"| {_bound(line)}{verdict} |"
        )
    return rows


def machine() -> dict[str, Any]:
    """What it was measured on."""
    return {
        "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "processors": os.cpu_count(),
        "load": os.getloadavg()[0],
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
    }


def write_json(path: Path, sections: Sequence[Section], about: dict[str, Any]) -> None:
    """Write everything that was measured; times in seconds."""
    tables = {
        section.name: dataclasses.asdict(section)
        | {"lines": [dataclasses.asdict(line) | {"met": line.met} for line in section.lines]}
        for section in sections
    }
    path.write_text(json.dumps({**about, "sections": tables}, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

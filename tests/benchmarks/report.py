"""What was measured: as tables, as JSON, and as one picture."""

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

__all__ = ["draw", "machine", "markdown", "replace_figures", "show", "show_memory", "write_json"]

PACKAGES = ("django", "psycopg", "sqlalchemy", "peewee", "asyncpg", "msgspec")
FIGURES_BEGIN, FIGURES_END = "<!-- figures -->", "<!-- end of figures -->"
DRAWN = ("single", "journal", "bulk", "history")


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
    sizes = ", ".join(f"{name} {value:,}" for name, value in about["sizes"].items())
    settings = ", ".join(f"{name} {value}" for name, value in server.items() if name != "server_version")
    where = f"{machine['processors']} processors, {machine['system']}, Python {machine['python']}"
    before, after = machine["load"], about.get("load_after", machine["load"])
    lines = [
        f"{where}, PostgreSQL {server['server_version']} ({settings}).",
        f"A commit waits {about['flush_us']:.0f} µs for the disk at least.",
        f"The machine's load average was {before:.1f} before the run and {after:.1f} after it.",
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
    page.write_text(f"{before}{FIGURES_BEGIN}\n\n{figures}\n{FIGURES_END}{after}", encoding="utf-8")


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


def draw(path: Path, sections: Sequence[Section]) -> None:
    """Draw the ratios of the main tables, the budget of each as a mark."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    drawn = [section for section in sections if section.name in DRAWN]
    if not drawn:
        return
    heights = [len(section.lines) + 1.5 for section in drawn]
    figure, grid = plt.subplots(
        len(drawn), 1, figsize=(9, 0.34 * sum(heights)), height_ratios=heights, layout="constrained", squeeze=False
    )
    for axes, section in zip(grid[:, 0], drawn, strict=True):
        lines = section.lines[::-1]
        colours = ["#1f6f5c" if line.name.startswith("Friren") else "#b8bfc6" for line in lines]
        axes.barh([line.name for line in lines], [line.ratio for line in lines], color=colours, height=0.7)
        for place, line in enumerate(lines):
            axes.text(line.ratio, place, f" {line.ratio:.2f}×", va="center", fontsize=8)
            if line.budget is not None:
                axes.plot([line.budget.bound] * 2, [place - 0.42, place + 0.42], color="#c0392b", linewidth=2)
        axes.set_title(f"{section.title}: time against {section.reference}", loc="left", fontsize=9, fontweight="bold")
        axes.tick_params(labelsize=8)
        axes.margins(x=0.12)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    figure.suptitle("Shorter is better; the red mark is the budget", x=0.01, ha="left", fontsize=8)
    figure.savefig(path, dpi=130)
    plt.close(figure)

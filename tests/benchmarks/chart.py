"""One picture of what was measured: bars of the ratios, and what threads get done together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.rounds import Section

__all__ = ["draw"]

# The tables that say most; the others are on the page.
DRAWN = ("single", "journal", "loop", "bulk", "history", "latest")
THREADS = "threads_"
OURS, OTHERS, BOUND = "#1f6f5c", "#b8bfc6", "#c0392b"
LINE_INCHES, PANEL_INCHES = 0.27, 3.6
# Ratios from a hundredth to some thousands are shown side by side: on a logarithmic axis, which starts here.
LEAST_RATIO = 0.1
# A mark this near behind the end of a bar would be written over.
NEAR = 2


def draw(path: Path, sections: Sequence[Section]) -> bool:
    """
    Draw the ratios of the main tables, the budget of each as a mark, and the trades per second of all threads.

    Returns:
        False when none of these was measured: then there is no picture.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    drawn = [section for section in sections if section.name in DRAWN]
    threads = [section for section in sections if section.name.startswith(THREADS)]
    heights = [LINE_INCHES * (len(section.lines) + 2.2) for section in drawn] + [PANEL_INCHES] * (len(threads) > 1)
    if not heights:
        return False
    figure, grid = plt.subplots(
        len(heights), 1, figsize=(9, sum(heights) + 0.4), height_ratios=heights, layout="constrained", squeeze=False
    )
    for axes, section in zip(grid[:, 0], drawn, strict=False):
        _bars(axes, section)
    if len(threads) > 1:
        _lines(grid[-1, 0], threads)
    figure.suptitle(
        "Time against the first bar, shorter is better; the red mark is the budget", x=0.01, ha="left", size=9
    )
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return True


def _bars(axes: Any, section: Section) -> None:
    lines = section.lines[::-1]
    ratios = [max(line.ratio, LEAST_RATIO) for line in lines]
    colours = [OURS if line.name.startswith("Friren") else OTHERS for line in lines]
    axes.barh([line.name for line in lines], ratios, left=0, color=colours, height=0.7)
    for place, (line, ratio) in enumerate(zip(lines, ratios, strict=True)):
        end = ratio
        if line.budget is not None and line.budget.bound >= LEAST_RATIO:
            bound = line.budget.bound
            axes.plot([bound] * 2, [place - 0.42, place + 0.42], color=BOUND, linewidth=2)
            end = bound if ratio < bound < ratio * NEAR else ratio
        axes.text(end, place, f" {line.ratio:,.2f}×", va="center", fontsize=8)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlim(LEAST_RATIO, max(10.0, *ratios) * 2.5)
    axes.axvline(1, color="#555555", linewidth=0.7, linestyle=":")
    axes.set_title(section.title, loc="left", fontsize=9, fontweight="bold")
    _plain(axes)


def _lines(axes: Any, threads: Sequence[Section]) -> None:
    counts = [int(section.name.removeprefix(THREADS)) for section in threads]
    for name in (line.name for line in threads[0].lines if not line.name.startswith("csv")):
        rates = [1 / next(line.p50 for line in section.lines if line.name == name) for section in threads]
        ours = name.startswith("Friren")
        axes.plot(
            counts, rates, marker="o", markersize=4, label=name, linewidth=2.2 if ours else 1.2,
            **({"color": OURS} if ours else {}),
        )  # fmt: skip
    axes.set_xscale("log", base=2)
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.set_ylim(bottom=0)
    axes.set_title("Trades per second, by the number of threads", loc="left", fontsize=9, fontweight="bold")
    axes.legend(fontsize=8, frameon=False)
    _plain(axes)


def _plain(axes: Any) -> None:
    axes.tick_params(labelsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)

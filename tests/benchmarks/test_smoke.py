"""The benchmarks run, all of them, with a few records each: their figures are looked at elsewhere."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys

import pytest

from tests.postgres import ROOT, SCRATCH_VARIABLE

SECTIONS = {
    "single", "journal", "loop", "bulk", "threads_1", "threads_8", "history", "growth", "pages",
    "latest", "positions", "bars_load", "bars_read", "files",
}  # fmt: skip


@pytest.mark.slow
def test_every_benchmark_runs_and_tells_its_figures(tmp_path) -> None:
    missing = [name for name in ("asyncpg", "matplotlib", "peewee", "sqlalchemy") if not importlib.util.find_spec(name)]
    if missing:
        told = f"needs {', '.join(missing)}: python3 -m uv sync --group bench"
        (pytest.fail if os.environ.get("FRIREN_TEST_ALL") else pytest.skip)(told)
    # A server of its own: durable, and none of this run's.
    ours = {SCRATCH_VARIABLE, "PYTEST_XDIST_WORKER"}
    environment = {name: value for name, value in os.environ.items() if name not in ours}

    page = tmp_path / "page.md"
    page.write_text("before\n<!-- figures -->\nolder figures\n<!-- end of figures -->\nafter\n")

    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", "--smoke", "--out", str(tmp_path), "--into", str(page)],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "benchmarks.json").read_text())
    assert told["sections"].keys() == SECTIONS
    assert all(line["p50"] > 0 for section in told["sections"].values() for line in section["lines"])
    assert told["memory"]["methods"]["Friren bulk_log"] is not None
    assert all((tmp_path / name).stat().st_size > 10_000 for name in ("benchmarks.png", "page.png"))
    shown = page.read_text()
    assert (tmp_path / "benchmarks.md").read_text() in shown
    assert "older figures" not in shown
    assert "](page.png)" in shown
    assert (shown.startswith("before\n"), shown.endswith("after\n")) == (True, True)
    assert all(f"(`{name}`)" in shown for name in [*SECTIONS, "memory"])

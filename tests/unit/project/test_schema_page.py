"""docs/reference/schema.md is what the models say, and says it without a database."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import call_command

from friren.operations import schema_docs
from friren.operations.schema_docs.history import own_apps
from friren.operations.schema_docs.tables import table_of

ROOT = Path(__file__).resolve().parents[3]
HOW_TO_FIX = "models or migrations changed: run `manage.py generate_schema_docs`"


def check(*arguments: str) -> tuple[int, str]:
    stdout = io.StringIO()
    try:
        call_command("generate_schema_docs", "--check", *arguments, stdout=stdout)
    except SystemExit as exc:
        return int(exc.code), stdout.getvalue()
    return 0, stdout.getvalue()


def test_the_page_is_what_the_models_say() -> None:
    code, told = check("--json")

    assert code == 0, f"{HOW_TO_FIX}: {told}"
    assert json.loads(told)["ok"]


def test_a_page_that_lags_is_named_by_its_first_difference(monkeypatch, tmp_path) -> None:
    lagging = schema_docs.schema_page().replace(
        "| `quantity` | numeric(38, 18) |", "| `quantity` | numeric(18, 8) |", 1
    )
    (tmp_path / "schema.md").write_text(lagging)
    monkeypatch.setattr(
        "friren.operations.management.commands.generate_schema_docs.page_path", lambda: tmp_path / "schema.md"
    )

    code, told = check()

    assert code == 1
    assert "numeric(18, 8)" in told
    assert "numeric(38, 18)" in told
    assert "generate_schema_docs" in told
    assert (tmp_path / "schema.md").read_text() == lagging

    call_command("generate_schema_docs", stdout=io.StringIO())
    assert check()[0] == 0


def test_no_database_is_asked(tmp_path) -> None:
    nowhere = os.environ | {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "FRIREN_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, ROOT / "manage.py", "generate_schema_docs", "--check"],
        env=nowhere, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")


def test_every_table_and_column_of_ours_is_on_the_page() -> None:
    page = schema_docs.schema_page()
    models = [model for app in own_apps() for model in app.get_models()]

    assert {app.label for app in own_apps()} == {
        "core", "persistence", "operations", "jobs", "trading_engine", "portfolio_manager",
    }  # fmt: skip
    for model in models:
        assert f"### {model._meta.db_table}\n" in page
        for field in model._meta.concrete_fields:
            assert f"| `{field.column}` |" in page


@pytest.mark.parametrize(
    ("column", "kept"),
    [("quantity", "digest"), ("received_at", "frozen"), ("recorded_seq", "frozen"), ("status", "moves")],
)
def test_a_trade_tells_what_becomes_of_its_columns(column, kept) -> None:
    table = table_of(apps.get_model("trading_engine", "Trade"))

    assert {one.name: one.kept for one in table.columns}[column] == kept


def test_a_row_that_is_no_fact_tells_what_is_frozen_of_it() -> None:
    table = table_of(apps.get_model("core", "Account"))
    kept = {one.name: one.kept for one in table.columns}

    assert (kept["environment"], kept["is_active"]) == ("frozen", "")


def test_the_words_of_columns_are_names_of_columns() -> None:
    page = (ROOT / "docs" / "reference" / "columns.md").read_text()
    rows = re.findall(r"^\| (`.+`) \|", page, re.MULTILINE)
    told = [name for row in rows for name in re.findall(r"`([^`]+)`", row)]
    models = [model for app in own_apps() for model in app.get_models()]
    known = {field.name for model in models for field in model._meta.concrete_fields}
    known |= {f"{model.__name__}.{field.name}" for model in models for field in model._meta.concrete_fields}

    assert len(told) == len(set(told)) > 100
    assert set(told) - known == set()

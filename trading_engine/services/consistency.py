"""What `check_consistency` and `migration_status` report of an account."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.utils import timezone

from friren.accounts import find_account
from trading_engine.data.prescient import TABLES, files_of
from trading_engine.data.storage.files import FileStorage
from trading_engine.data.storage.mode import current_mode
from trading_engine.data.storage.postgres import PostgresStorage
from trading_engine.services.clean_checks import checks_of, clean_in_a_row, note_check
from trading_engine.services.migration_status import phases_of
from trading_engine.services.parity import compare, tables_of

__all__ = ["check_consistency", "migration_status"]


def check_consistency(
    account: str, *, root: Path, tables: Sequence[str] = (), require_clean: int = 1
) -> dict[str, Any]:
    """
    Compare both sides of some tables, keep the outcome, and report.

    Args:
        root: folder of the files.
        tables: names; all that both sides can hold unless given.
        require_clean: comparisons of all of them, this one included, that must have been clean one after the other.

    Returns:
        `per_table` with `count`, `sum`, `digest`, `first_difference`, `differing`, `differences` and `ok` of each;
        `clean_in_a_row`, and `ok`.

    Raises:
        ConfigurationError: no such account or table.
        UnreadableFileError: a file cannot be read.
    """
    handle = find_account(account)
    files, database = FileStorage(root), PostgresStorage(handle)
    try:
        found = {table.name: compare(table, files=files, database=database) for table in tables_of(tables)}
    finally:
        database.close()
    checks = note_check(handle.id, {name: one.ok for name, one in found.items()}, at=timezone.now())
    clean = min(clean_in_a_row(checks, table=name) for name in found)
    return {
        "account": handle.name,
        "root": str(root),
        "per_table": {name: {**_fields(one), "ok": one.ok} for name, one in found.items()},
        "clean_in_a_row": clean,
        "require_clean": require_clean,
        "ok": clean >= require_clean,
    }


def _fields(one: Any) -> dict[str, Any]:
    return {field.name: getattr(one, field.name) for field in dataclasses.fields(one)}


def migration_status(account: str, *, root: Path, require_clean: int = 1) -> dict[str, Any]:
    """
    Report the phase that this process's flags are of, and whether those before it are proven.

    Args:
        root: folder of the files.
        require_clean: comparisons, one after the other, that prove a phase.

    Raises:
        ConfigurationError: a flag is wrong, or there are files of an account that was not opened.
    """
    mode = current_mode()
    has_files = any(files_of(root, table) for table in TABLES)
    checks = checks_of(find_account(account).id) if has_files else []
    found = phases_of(mode, checks, has_files=has_files, require=require_clean, now=timezone.now())
    return {
        "account": account,
        "root": str(root),
        "mode": {field.name: getattr(mode, field.name) for field in dataclasses.fields(mode)},
        "phase": found.phase,
        "phases": found.phases,
        "warnings": found.warnings,
        "clean_in_a_row": clean_in_a_row(checks),
        "ok": found.ok,
    }

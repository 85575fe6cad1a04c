"""
Strategies and the risk configuration in CSV settings and in the database, behind the storages' one contract.

Blueprint keeps both in files and moves them by the same flags as records: see `trading_engine.data.storage`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db.models import Model, ProtectedError

from friren.core.choices import AuditAction
from friren.core.ids import natural_id
from friren.errors import DatabaseUnavailableError, RejectedRecordError
from friren.persistence.audit import record_change
from friren.persistence.handlers import one_commit
from friren.persistence.recorder import Recorder
from portfolio_manager.blueprint_export import write_settings
from portfolio_manager.models import RiskConfig, Strategy
from trading_engine.data.importers.parsed import UnreadableFileError
from trading_engine.data.prescient import Column, Table, place_of, record_of, register_table, table_named
from trading_engine.data.prescient.tables import Kind, Mode
from trading_engine.data.storage import HybridStorage, Side, StorageMode, Written, current_mode, json_root
from trading_engine.data.storage.base import Record

__all__ = ["SettingsFiles", "SettingsRows", "register", "settings_storage"]

_DATA: Final = ("session_windows", "entry_conditions", "exit_rules", "forbidden_conditions", "risk_caps")
_FLAGS: Final = {"true": True, "false": False, "1": True, "0": False}
_STRATEGIES: Final = (
    Column("name", Kind.TEXT, required=True),
    Column("is_active", Kind.FLAG, required=True),
    Column("allowed_symbols", Kind.DATA, required=True),
    *(Column(name, Kind.DATA, required=True) for name in _DATA),
    Column("rr_expectation", Kind.NUMBER),
)
_RISK_CONFIG: Final = (
    Column("ai_trading_enabled", Kind.FLAG, required=True),
    Column("min_confidence_threshold", Kind.RATIO, required=True),
    Column("max_lot_size", Kind.NUMBER, required=True),
    Column("max_concurrent_trades", Kind.COUNT, required=True),
    Column("daily_profit_target", Kind.NUMBER),
    Column("stop_after_target", Kind.FLAG, required=True),
    Column("max_drawdown_amount", Kind.NUMBER),
    Column("halt_on_drawdown", Kind.FLAG, required=True),
    Column("allow_off_watchlist_autotrade", Kind.FLAG, required=True),
    Column("last_halt_reason", Kind.TEXT),
)


def register() -> None:
    """Register the tables `strategies` and `risk_config`."""
    register_table(Table("strategies", "strategies.csv", "settings", Mode.OVERWRITE, ("name",), _STRATEGIES))
    # The one row is a list of one: its file has a header and a line.
    register_table(
        Table("risk_config", "risk_config.csv", "settings", Mode.OVERWRITE, ("ai_trading_enabled",), _RISK_CONFIG)
    )


def settings_storage(
    *, mode: StorageMode | None = None, root: Path | None = None, using: str = "default"
) -> HybridStorage:
    """
    Return the storage of strategies and risk configuration as the flags of this process say.

    Args:
        mode: what the flags come to, unless given.
        root: folder of the CSV files; `settings` in FRIREN_JSON_DIR unless given.
    """
    files = SettingsFiles(json_root() / "settings" if root is None else root)
    return HybridStorage(files, SettingsRows(using=using), mode=current_mode() if mode is None else mode)


class SettingsFiles:
    """Settings in CSV files with the columns of Blueprint's tables; lists and objects are cells of JSON."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def save(self, table: str, records: Iterable[Record]) -> Written:
        """Write a file anew, whole or not at all; see `Storage.save`."""
        is_ = table_named(table)
        told = [record_of(is_, record)[0] for record in records]
        write_settings(place_of(self.root, is_), is_.names, told)
        return Written(file=Side.STORED)

    def load(self, table: str) -> list[dict[str, Any]]:
        """Return what a file holds, in the order of its keys."""
        return sorted(self.iterate(table), key=table_named(table).key_of)

    def iterate(self, table: str) -> Iterator[dict[str, Any]]:
        """
        Yield the rows of a file.

        Raises:
            UnreadableFileError: a row breaks a rule: settings are whole, or refused.
        """
        is_ = table_named(table)
        path = place_of(self.root, is_)
        if not path.exists():
            return
        with path.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                told = {column.name: _value(column, row.get(column.name)) for column in is_.columns}
                try:
                    yield record_of(is_, told)[0]
                except RejectedRecordError as exc:
                    raise UnreadableFileError(path, str(exc)) from exc

    def close(self) -> None:
        """Do nothing: every writing was synced."""


class SettingsRows:
    """
    Settings in their tables; each change is in the audit log. A strategy that is left out is removed, or switched off
    where something refers to it.

    Raises:
        DatabaseUnavailableError: by any method: the database does not answer in time. Settings do not go by the
            journal: nobody trades on a limit that is not in force.
    """

    def __init__(self, *, using: str = "default") -> None:
        self._recorder = Recorder(using=using)

    def save(self, table: str, records: Iterable[Record]) -> Written:
        """Save settings in one commit, see `Storage.save`."""
        is_ = table_named(table)
        told = [record_of(is_, record)[0] for record in records]
        changed = self._recorder.store_many(partial(_save, table, told))
        if changed is None:
            raise DatabaseUnavailableError
        return Written(database=Side.STORED if changed else Side.DUPLICATE)

    def load(self, table: str) -> list[dict[str, Any]]:
        """Return the settings, in the order of their keys."""
        return sorted(self.iterate(table), key=table_named(table).key_of)

    def iterate(self, table: str) -> Iterator[dict[str, Any]]:
        """Yield the settings."""
        is_, model = table_named(table), Strategy if table == "strategies" else RiskConfig
        rows: list[Model] | None = self._recorder.derive(lambda alias: list(model._default_manager.using(alias).all()))
        if rows is None:
            raise DatabaseUnavailableError
        for row in rows:
            yield record_of(is_, {name: getattr(row, name) for name in is_.names})[0]

    def close(self) -> None:
        """Take no more changes; every one was committed."""
        self._recorder.close()


def _save(table: str, told: list[dict[str, Any]], alias: str) -> bool:
    """Store settings in one commit; return whether anything changed."""
    with one_commit(alias):
        if table == "strategies":
            return _save_strategies(told, alias)
        (config,) = told
        return _change(RiskConfig.load(using=alias, lock=True), config, alias)


def _save_strategies(told: list[dict[str, Any]], alias: str) -> bool:
    rows = Strategy.objects.using(alias).select_for_update().order_by("pk")
    held = {row.name: row for row in rows}
    changed = [_change(held.pop(one["name"], None) or _new(one["name"]), one, alias) for one in told]
    removed = [_remove(row, alias) for row in held.values()]
    return any([*changed, *removed])


def _change(row: Any, told: Mapping[str, Any], alias: str) -> bool:
    after = {name: _stored(row, name, value) for name, value in told.items()}
    before = {name: getattr(row, name) for name in after}
    adding = row._state.adding
    if before == after and not adding:
        return False
    for name, value in after.items():
        setattr(row, name, value)
    try:
        row.full_clean(validate_unique=False)
    except ValidationError as exc:
        name, messages = next(iter(exc.message_dict.items()))
        raise RejectedRecordError("" if name == "__all__" else name, None, messages[0]) from exc
    row.save(using=alias)
    _note(row, {} if adding else before, after, AuditAction.CREATE if adding else AuditAction.CONFIG_CHANGE, alias)
    return True


def _remove(row: Strategy, alias: str) -> bool:
    key = row.pk
    try:
        row.delete(using=alias)
    except ProtectedError:
        return _change(row, {"is_active": False}, alias)
    row.pk = key
    _note(row, {"name": row.name}, {}, AuditAction.DELETE, alias)
    return True


def _note(row: Model, before: Mapping[str, Any], after: Mapping[str, Any], action: str, alias: str) -> None:
    record_change(row, before=before, after=after, action=action, source="storage", using=alias)


def _new(name: str) -> Strategy:
    return Strategy(pk=natural_id("strategy", name), name=name)


def _stored(row: Any, name: str, value: Any) -> Any:
    """Return a value as its column holds it: an empty text where nothing is told of one."""
    return "" if value is None and not row._meta.get_field(name).null else value


def _value(column: Column, cell: str | None) -> Any:
    if cell is None or not cell.strip():
        return None
    if column.kind is Kind.FLAG:
        return _FLAGS.get(cell.strip().casefold(), cell)
    if column.name == "allowed_symbols" and not cell.lstrip().startswith("["):
        return [one.strip() for one in cell.strip("{} ").split(",") if one.strip()]
    return cell

"""Blueprint's settings into the tables that people keep up: what is there already is never changed by an import."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import DEFAULT_DB_ALIAS, IntegrityError, models

from friren.core.choices import AuditAction
from friren.core.ids import natural_id
from friren.core.numbers import plain
from friren.errors import RejectedRecordError
from friren.persistence.audit import record_change
from friren.persistence.handlers import one_commit
from portfolio_manager.models import RiskConfig, Strategy
from trading_engine.data.importers.blueprint import RISK_CONFIG, STRATEGIES, Setting, files_of_blueprint, settings_of
from trading_engine.data.importers.parsed import Issue, UnreadableFileError, issue_of
from trading_engine.data.importers.records import ReadFiles, SourceFile
from trading_engine.services.data_imports import ImportedFile
from trading_engine.services.whole_imports import register_importer

__all__ = ["import_blueprint", "register"]

SWITCH: Final = "ai_trading_enabled"
STAYS_OFF: Final = "not switched on by an import: a person does it in the admin"


def register() -> None:
    """Register the source `blueprint` of `import_data`."""
    register_importer("blueprint", import_blueprint)


def import_blueprint(paths: Sequence[Path], *, dry_run: bool) -> tuple[ReadFiles, list[ImportedFile]]:
    """
    Import strategies and the risk configuration from CSV settings; importing them again stores nothing.

    A strategy is known by its id, or else by its name. One that stands otherwise, and a risk configuration that
    somebody has set, is a conflict: what is stored stays. AI trading is never switched on.
    """
    read = ReadFiles()
    done: list[ImportedFile] = []
    for path in paths:
        try:
            wanted, others = files_of_blueprint(path)
            read.skipped += others
            for kind, found in wanted:
                file = SourceFile(found, lambda _file: iter(()), found.stat().st_size)
                read.files.append(file)
                done.append(_import_file(kind, file, dry_run=dry_run))
        except UnreadableFileError as exc:
            read.unreadable.append(exc)
    return read, done


def _import_file(kind: str, file: SourceFile, *, dry_run: bool) -> ImportedFile:
    report = ImportedFile(str(file.path))
    store = partial(_STORE[kind], report, dry_run=dry_run)
    for one in settings_of(kind, file):
        report.records += 1
        if isinstance(one, Issue):
            report.rejected += 1
            report.rejected_rows.append(one)
            continue
        report.changed_rows += one.notes
        try:
            store(one)
        except (RejectedRecordError, ValidationError, IntegrityError) as exc:
            report.rejected += 1
            report.rejected_rows.append(issue_of(one.line, _refusal(exc)))
    return report


def _strategy(report: ImportedFile, one: Setting, *, dry_run: bool) -> None:
    told = dict(one.values)
    key = told.pop("id", None)
    name = told["name"]
    by_key = Strategy.objects.filter(pk=key).first() if key else None
    stored = by_key or Strategy.objects.filter(name=name).first()
    if stored is not None:
        _compare(report, one, stored, told)
        return
    row = Strategy(pk=key or natural_id("strategy", name), **told)
    row.full_clean()
    _save(report, row, told, action=AuditAction.CREATE, dry_run=dry_run)


def _risk_config(report: ImportedFile, one: Setting, *, dry_run: bool) -> None:
    told = dict(one.values)
    if told.pop(SWITCH, False):
        report.changed_rows.append(Issue(one.line, SWITCH, "true", STAYS_OFF, rejected=False))
    stored = RiskConfig.objects.filter(pk=1).first() or RiskConfig(pk=1)
    blank = RiskConfig(pk=1)
    if any(_differs(getattr(stored, name), getattr(blank, name)) for name in told) or not _differing(stored, told):
        _compare(report, one, stored, told)
        return
    for name, value in told.items():
        setattr(stored, name, value)
    stored.full_clean()
    _save(report, stored, told, action=AuditAction.CONFIG_CHANGE, dry_run=dry_run)


_STORE: Final = {STRATEGIES: _strategy, RISK_CONFIG: _risk_config}


def _save(report: ImportedFile, row: models.Model, told: Mapping[str, Any], *, action: str, dry_run: bool) -> None:
    if not dry_run:
        with one_commit(DEFAULT_DB_ALIAS):
            row.save()
            after = {name: getattr(row, name) for name in told}
            record_change(row, before={}, after=after, action=action, source="import_data", using=DEFAULT_DB_ALIAS)
    report.imported += 1


def _compare(report: ImportedFile, one: Setting, stored: models.Model, told: Mapping[str, Any]) -> None:
    differing = _differing(stored, told)
    if not differing:
        report.duplicates += 1
        return
    report.conflicts += 1
    fields = {
        name: {"stored": _shown(getattr(stored, name)), "told": _shown(value)} for name, value in differing.items()
    }
    kind = str(stored._meta.verbose_name).lower()
    report.conflict_rows.append(
        {"line": one.line, "path": "", "kind": kind, "external_id": str(stored), "fields": fields}
    )


def _differing(stored: models.Model, told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if _differs(getattr(stored, name), value)}


def _differs(stored: Any, told: Any) -> bool:
    return bool(stored != told)


def _shown(value: Any) -> str:
    return plain(value) if isinstance(value, Decimal) else str(value)


def _refusal(exc: RejectedRecordError | ValidationError | IntegrityError) -> RejectedRecordError:
    if isinstance(exc, RejectedRecordError):
        return exc
    if isinstance(exc, ValidationError) and hasattr(exc, "error_dict"):
        name, messages = next(iter(exc.message_dict.items()))
        return RejectedRecordError("" if name == "__all__" else name, None, messages[0])
    return RejectedRecordError("", None, " ".join(str(exc).split()))

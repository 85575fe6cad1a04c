"""What a reconciliation found, for people and programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from portfolio_manager.models import ReconciliationBreak
from portfolio_manager.models.choices import BreakKind
from portfolio_manager.reconciliation.service import Reconciled

__all__ = ["break_report", "reconciliation_report"]


def reconciliation_report(found: Reconciled, *, statement: Path, account: str) -> dict[str, Any]:
    """Return the report of `manage.py reconcile`."""
    recorded = found.recorded
    return {
        "account": account,
        "statement": str(statement),
        "fills": found.fills,
        "positions": found.positions,
        "currencies": found.currencies,
        "matched": found.matched,
        **{kind.value.lower(): found.count(kind) for kind in BreakKind},
        "adopted": found.adopted,
        "corrected": found.corrected,
        "open": found.open,
        "breaks": [break_report(one) for one in found.found],
        "unreadable": [{"line": one.line, "field": one.field, "rule": one.rule} for one in found.issues],
        "refused": [{"line": one.line, "field": one.field, "rule": one.rule} for one in recorded.rejected_rows]
        if recorded
        else [],
    }


def break_report(row: ReconciliationBreak) -> dict[str, Any]:
    """Return one break as plain values."""
    return {
        "id": str(row.pk),
        "kind": row.kind,
        "what": what_of(row),
        "venue": row.venue,
        "external_id": row.external_id,
        "trade": str(row.trade_id) if row.trade_id else None,
        "field": row.field,
        "ours": row.ours,
        "theirs": row.theirs,
        "resolution": row.resolution,
        "found_at": row.found_at,
    }


def what_of(row: ReconciliationBreak) -> str:
    """Return in a few words what a break is about."""
    told = row.payload
    names = ("executed_at", "action", "quantity", "symbol", "currency", "kind", "amount")
    words = [str(told[name]) for name in names if told.get(name)]
    price = f"at {told['price']}" if told.get("price") else ""
    return " ".join(filter(None, [told.get("about", "").replace("_", " "), *words, price, row.external_id]))

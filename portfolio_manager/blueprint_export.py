"""Strategies and the risk configuration as Blueprint's CSV settings: the way back for what `import_data` took in."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from friren.accounts import AccountHandle
from friren.core.numbers import plain
from portfolio_manager.models import RiskConfig, Strategy
from trading_engine.data.atomic_files import replacing
from trading_engine.data.importers.blueprint import RISK_CONFIG, STRATEGIES, columns_of_settings
from trading_engine.data.transfer.shapes import Shaped

__all__ = ["write_blueprint", "write_settings"]


def write_blueprint(folder: Path, account: AccountHandle | None) -> list[Shaped]:
    """
    Write strategies.csv and risk_config.csv; settings belong to no account.

    Raises:
        OSError: the disk refuses.
    """
    del account
    written = []
    for kind, rows in ((STRATEGIES, Strategy.objects.order_by("name")), (RISK_CONFIG, RiskConfig.objects.all())):
        columns = columns_of_settings(kind)
        told = [{name: getattr(row, name) for name in columns} for row in rows]
        write_settings(folder / f"{kind}.csv", columns, told)
        written.append(Shaped(f"{kind}.csv", len(told)))
    return written


def write_settings(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """
    Write a file of settings, whole or not at all: lists and objects as cells of JSON.

    Raises:
        OSError: the disk refuses; the file is what it was.
    """
    with replacing(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        writer = csv.writer(text)
        writer.writerow(columns)
        writer.writerows([_cell(row[name]) for name in columns] for row in rows)
        text.detach()


def _cell(value: Any) -> str:
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    return "" if value is None else str(value)

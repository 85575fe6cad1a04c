"""What must be true of the rows after every kill, and at the end."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from friren.operations.models import ArchiveRun
from tests.archiving.kills import TABLES, places_of_rows
from tests.factories import MONDAY, AccountFactory
from tests.integration.friren.operations.archive.conftest import live
from trading_engine.services import PriceRecorder, SignalLogger

__all__ = ["Expected"]


@dataclasses.dataclass(frozen=True)
class Expected:
    """The rows as they were before anything was moved, by table."""

    rows: dict[str, list[str]]
    ids: dict[str, set[str]]

    @classmethod
    def filled(cls, count: int) -> Expected:
        """Fill the tables with rows over some months."""
        import friren

        account = AccountFactory()
        with SignalLogger(friren.open_account(account.name, owner=account.owner.username)) as signals:
            signals.bulk_log(
                {
                    "symbol": "AAPL",
                    "signal_type": "BUY",
                    "timestamp": MONDAY + dt.timedelta(hours=number),
                    "reasoning": "x",
                }
                for number in range(count)
            )
        day = dict.fromkeys(("open", "high", "low", "close", "volume"), Decimal("187.32"))
        PriceRecorder().record_bars(
            [{**day, "timestamp": MONDAY + dt.timedelta(hours=number)} for number in range(count)],
            symbol="AAPL", timeframe="1h",
        )  # fmt: skip
        ids = {name: places_of_rows(name, Path())["table"] for name in TABLES}
        assert all(len(found) == count for found in ids.values())
        return cls({name: live(name) for name in TABLES}, ids)

    def misplaced(self, folder: Path) -> Iterator[str]:
        """Yield what is wrong with where the rows are now."""
        for name in TABLES:
            found = places_of_rows(name, folder)
            kept = [found["table"], found["archive"], found["files"]]
            if sum(map(len, kept)) != len(self.ids[name]) or set().union(*kept) != self.ids[name]:
                yield f"{name}: {', '.join(f'{len(rows)} in {place}' for place, rows in found.items())}"
            if found["keys"] != found["files"]:
                yield f"{name}: {len(found['keys'])} keys of {len(found['files'])} rows in files"

    def unlike(self, folder: Path) -> Iterator[str]:
        """Yield what is not as it was, once all is brought back and put in order."""
        for name in TABLES:
            if live(name) != self.rows[name]:
                yield f"{name}: {len(live(name))} rows, or others than there were"
        if left := [path.name for path in folder.rglob("*") if path.is_file()]:
            yield f"files are left: {json.dumps(left)}"
        if running := ArchiveRun.objects.filter(status="RUNNING").count():
            yield f"{running} runs are still running"

"""The tasks of a child: what a process under test does, and what is asked of the database through Friren afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connections

from friren.persistence.conservation import write_path
from friren.persistence.dead_letters import open_letters
from friren.persistence.engines import engine_for
from friren.persistence.journal import Address
from friren.persistence.replay import replay
from portfolio_manager.data_logger import PortfolioTracker
from tests.faults.child import Diary, log_from_threads
from tests.faults.script import ACCOUNT

__all__ = ["account", "log", "recover"]


def log(orders: Any) -> None:
    """Log until it is killed, or so much was logged; then say so by a file, and wait to be killed or flush."""
    diary = Diary(orders.log)
    options = orders.options
    log_from_threads(
        diary, cycle=orders.number, mode=options["mode"], threads=options["threads"], count=options["count"]
    )
    engine_for().flush(options.get("flush", 30))


def recover(_orders: Any) -> dict[str, Any]:
    """Drain what all have left, as `manage.py replay` does, and say what came of it."""
    done = replay(timeout=60)
    return {"moved": done.moved, "remaining": done.remaining, "dead_lettered": done.dead_lettered}


def account(_orders: Any) -> dict[str, Any]:
    """The account of every record, and the books refolded: what differs must be nothing."""
    root = Path(settings.FRIREN_HOME) / "journal"
    found = write_path(root, Address.of(connections.settings["default"]))
    names = ("last_seq", "stored", "duplicates", "dead_lettered", "backlog", "ahead")
    rebuilt = PortfolioTracker(account=ACCOUNT).rebuild(check=True)
    return {name: found.total(name) for name in names} | {
        "producers": len(found.producers),
        "letters": [
            f"{letter.seq} of {letter.producer}: {letter.kind}: {letter.error}: {bytes(letter.payload)[:300]!r}"
            for letter in open_letters()[:20]
        ],
        "differences": [str(difference) for difference in rebuilt.differences],
    }

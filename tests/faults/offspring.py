"""What a child of a logging process does: by fork with all that its parent has open, by spawn with nothing of it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.faults.sockets import connections_of, pools_at_rest

__all__ = ["log_as_child"]


def log_as_child(log: str, cycle: int, number: int, count: int) -> None:
    """Log as a child of multiprocessing does, read what a bot reads, and end in an orderly way."""
    inherited = sorted(connections_of())
    import friren

    friren.setup()  # nothing after a fork; a spawned child imports its task before it has an application
    from portfolio_manager.data_logger import PortfolioTracker
    from tests.faults.child import Bot, Diary
    from tests.faults.script import ACCOUNT

    diary = Diary(f"{log}.{number}.diary")
    Bot(diary, cycle=cycle, thread=number, mode="mixed").work(count)
    tracker = PortfolioTracker(ACCOUNT)
    tracker.get_current_positions()
    told = {"inherited": inherited, "connections": sorted(connections_of()), "flushed": tracker.flush(60)}
    Path(f"{log}.{number}.child").write_text(json.dumps({**told, "pools": pools_at_rest()}))

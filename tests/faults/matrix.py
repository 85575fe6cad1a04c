"""Every kind of fault, one after another, under one process that logs: no exception, nothing lost, soon back."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from tests.faults.crew import Crew
from tests.faults.field import PASSWORD, ROLE, Field
from tests.faults.ground import Ground
from tests.faults.history import Call
from tests.faults.kills import Result, judge, taken
from tests.faults.names import HOST, Names
from tests.faults.outages import outcomes
from tests.faults.provocations import FAULTS
from tests.faults.proxy import FaultProxy

__all__ = ["SETTINGS", "through_all"]

# How soon after a fault a call is to be stored again.
BACK_SECONDS = 1.0
# How long a fault is waited for that does not show itself, and then for its end.
SHOWN_SECONDS = 20.0
# Of the server: few connections, so that they are soon taken up, and a log that tells SQLSTATE and role.
SETTINGS: Final = {"max_connections": "30", "log_line_prefix": "%e %u ", "log_min_error_statement": "panic"}
ORDERS: Final = {"number": 1, "server_options": "-c idle_in_transaction_session_timeout=100"}
OPTIONS: Final = {"mode": "direct", "threads": 6, "count": 1_000_000, "pace": 0.015}


def through_all(
    ground: Ground, proxy: FaultProxy, *, lasts: float, names: tuple[str, ...] = tuple(FAULTS), variant: str = ""
) -> Result:
    """
    Let a process log through all faults, from more threads than it has connections, and note how soon it is back.

    The first fault is there before the process. Each lasts until it has shown itself.

    Args:
        lasts: seconds of each fault at least.
    """
    field = Field(ground, proxy, Names(ground.home))
    spans: dict[str, tuple[float, float]] = {}
    unseen = []
    with Crew(ground, names=field.names, **_environment(ground, proxy)) as crew:
        with contextlib.ExitStack() as at_work:
            for name in names:
                mark = ground.server.location.log.stat().st_size if FAULTS[name].raises else 0
                with FAULTS[name].provoke(field):
                    if field.child is None:
                        child = crew.at_work("log", options=OPTIONS, variant=variant, **ORDERS)
                        field.child = at_work.enter_context(child)
                        field.child.began()
                    began, told = time.monotonic(), field.child.log.stat().st_size
                    time.sleep(lasts)
                    if not _until(_shown(field, FAULTS[name].raises, mark, told)):
                        unseen.append(name)
                spans[name] = (began, time.monotonic())
                _until(_told(field.child.log, " STORED ", field.child.log.stat().st_size))
        history = taken(field.child)
        result = judge(crew, history)
    back = {name: _back(history, end) for name, (_began, end) in spans.items()}
    during = {name: outcomes([call for call in history if began <= call.at < end])
              for name, (began, end) in spans.items()}  # fmt: skip
    result.figures |= {"back_seconds": back, "during": during, "calls": len(history), "own_names": field.names.own}
    result.figures["late"] = [name for name, seconds in back.items() if seconds is not None and seconds > BACK_SECONDS]
    result.wrong += [f"{name}: nothing was stored any more" for name, seconds in back.items() if seconds is None]
    result.wrong += [f"{name}: the logging process never met it" for name in unseen]
    return result


def _environment(ground: Ground, proxy: FaultProxy) -> dict[str, str]:
    """Make the role of the logging process, who has to give a password, and return how it is to connect."""
    with ground.connect() as admin:
        if admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROLE]).fetchone() is None:
            role = sql.Identifier(ROLE)
            admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} IN ROLE friren").format(role, PASSWORD))
            # Well below what a statement waits for a lock, so that a deadlock is found to be one.
            admin.execute(sql.SQL("ALTER ROLE {} SET deadlock_timeout = '20ms'").format(role))
            access = Path(admin.execute("SHOW hba_file").fetchone()[0])
            access.write_text(f"local all {ROLE} scram-sha-256\n{access.read_text()}")
            admin.execute("SELECT pg_reload_conf()")
    name = conninfo_to_dict(ground.url)["dbname"]
    where = f"{HOST}:{proxy.port}/{name}?sslmode=disable"
    return {
        "DATABASE_URL": f"postgresql://{ROLE}:{PASSWORD.replace(' ', '%20')}@{where}",
        "FRIREN_WRITE_CONNECTIONS": "2",
    }


def _shown(field: Field, sqlstate: str, mark: int, told: int) -> Callable[[], bool]:
    """Return what says whether the process has met a fault: the server said so, or its calls are journaled."""
    if sqlstate:
        return _told(field.ground.server.location.log, f"{sqlstate} {ROLE} ", mark)
    return _told(field.child.log, " JOURNALED ", told)


def _told(path: Path, words: str, mark: int) -> Callable[[], bool]:
    """Return what says whether a file holds some words after its first `mark` bytes."""

    def found() -> bool:
        with path.open("rb") as file:
            file.seek(mark)
            return words.encode() in file.read()

    return found


def _until(condition: Callable[[], bool]) -> bool:
    """Wait until a condition holds; return whether it came to."""
    until = time.monotonic() + SHOWN_SECONDS
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.005)
    return True


def _back(history: list[Call], moment: float) -> float | None:
    """Return how long after a moment a call was stored."""
    found = [call.at - moment for call in history if call.outcome == "STORED" and call.at >= moment]
    return round(min(found), 3) if found else None

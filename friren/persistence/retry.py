"""
What to do about an error of the database: a pure table of SQLSTATE and phase, never of exception classes.

Classes mislead: a failover arrives as InternalError, and every failed connect as an OperationalError without
a code. The codes are those of PostgreSQL's Appendix A.
"""

from __future__ import annotations

import enum
from typing import Any, Final, NamedTuple

import psycopg

__all__ = ["READ_ONLY", "Judgement", "Phase", "Verdict", "judge", "sqlstate_of", "verdict_of"]


class Phase(enum.Enum):
    """What was being done when the error came."""

    CONNECT = "connect"  # nothing was sent yet: always safe to try again
    STATEMENT = "statement"  # inside a transaction that has not been asked to commit
    COMMIT = "commit"  # a COMMIT, or a statement that commits by itself: it may have happened


class Verdict(enum.Enum):
    """What to do."""

    RETRY = "retry"  # the whole transaction again, on the same connection
    RECONNECT = "reconnect"  # the connection is of no use any more: close it
    HOLD = "hold"  # the server lives but cannot take the record now: keep it, and call somebody
    REFUSE = "refuse"  # the data are wrong: never again


class Judgement(NamedTuple):
    """A verdict, and whether the write may have happened all the same."""

    verdict: Verdict
    unknown: bool


READ_ONLY: Final = "25006"  # read_only_sql_transaction
# Passing trouble between transactions.
_RETRY: Final = frozenset(
    {
        "40001",  # serialization_failure
        "40P01",  # deadlock_detected
        "55P03",  # lock_not_available: lock_timeout
        "57014",  # query_canceled: statement_timeout; bounded by the caller's attempts
        "0A000",  # feature_not_supported: "cached plan must not change result type", after an ALTER TYPE
    }
)
# The session has ended, or writes nothing any more.
_RECONNECT: Final = frozenset(
    {
        "57P01",  # admin_shutdown
        "57P02",  # crash_shutdown
        "57P03",  # cannot_connect_now
        "57P05",  # idle_session_timeout
        READ_ONLY,  # a failover made this server the standby, or somebody upgrades the database
        "25P03",  # idle_in_transaction_session_timeout
        "25P04",  # transaction_timeout
        "53300",  # too_many_connections
    }
)
# Full disks, missing tables and rights: for people to mend, and no fault of the data.
_HOLD_CLASSES: Final = frozenset({"28", "3D", "3F", "42", "53", "54", "55", "58", "F0", "XX"})
_HOLD: Final = frozenset({"25P02", "25001", "26000", "40002", "40003", "57P04"})
# Class 0A apart from the one above would be a mistake of ours; 22 and 23 blame the data.
_REFUSE_CLASSES: Final = frozenset({"22", "23", "44"})
# The answer was lost on its way: whether it happened is unknown.
_UNKNOWN: Final = frozenset({"", "08000", "08003", "08006", "08007", "40003", "57P01", "57P02"})


def verdict_of(sqlstate: str | None, phase: Phase) -> Judgement:
    """
    Judge a SQLSTATE; None or "" stands for an error without one: the connection broke, or never was.

    A code that is not in the table holds the record: it is neither lost nor tried in a circle.
    """
    code = sqlstate or ""
    unknown = phase is Phase.COMMIT and code in _UNKNOWN
    if phase is Phase.CONNECT and code[:2] not in {"28", "3D"}:
        return Judgement(Verdict.RECONNECT, unknown=False)
    if not code or code.startswith("08") or code in _RECONNECT:
        return Judgement(Verdict.RECONNECT, unknown)
    if code in _RETRY:
        return Judgement(Verdict.RETRY, unknown)
    if code in _HOLD or code[:2] in _HOLD_CLASSES:
        return Judgement(Verdict.HOLD, unknown)
    if code[:2] in _REFUSE_CLASSES:
        return Judgement(Verdict.REFUSE, unknown=False)
    return Judgement(Verdict.HOLD, unknown)


def judge(error: BaseException, phase: Phase) -> Judgement:
    """Judge an error of psycopg, or one of Django's that wraps it."""
    cause = _cause_of(error)
    if cause is not None and cause.sqlstate is None and isinstance(cause, psycopg.DataError | psycopg.ProgrammingError):
        # Found by the client before anything was sent, such as a NUL byte in text.
        return Judgement(Verdict.REFUSE, unknown=False)
    return verdict_of(sqlstate_of(error), phase)


def sqlstate_of(error: BaseException | None) -> str:
    """Return the SQLSTATE of an error of psycopg or of one that was raised from it, "" if there is none."""
    cause = _cause_of(error)
    return (cause.sqlstate or "") if cause is not None else ""


def _cause_of(error: BaseException | None) -> Any:
    """Return the error of psycopg at the root of `error`."""
    while error is not None and not isinstance(error, psycopg.Error):
        error = error.__cause__
    return error

"""What is done about an error of the database: by code and phase."""

from __future__ import annotations

import psycopg
import pytest
from django.db import InternalError, OperationalError
from psycopg import errors

from friren.persistence.deadline import DeadlineExceededError
from friren.persistence.retry import Phase, Verdict, judge, sqlstate_of, verdict_of

RETRY, RECONNECT, HOLD, REFUSE = Verdict.RETRY, Verdict.RECONNECT, Verdict.HOLD, Verdict.REFUSE
CONNECT, STATEMENT, COMMIT = Phase.CONNECT, Phase.STATEMENT, Phase.COMMIT


@pytest.mark.parametrize(
    ("sqlstate", "verdict"),
    [
        ("40001", RETRY), ("40P01", RETRY), ("55P03", RETRY), ("57014", RETRY), ("0A000", RETRY),
        (None, RECONNECT), ("", RECONNECT), ("08000", RECONNECT), ("08006", RECONNECT), ("08P01", RECONNECT),
        ("57P01", RECONNECT), ("57P02", RECONNECT), ("57P03", RECONNECT), ("57P05", RECONNECT), ("53300", RECONNECT),
        ("25006", RECONNECT), ("25P03", RECONNECT), ("25P04", RECONNECT),
        ("53100", HOLD), ("53200", HOLD), ("58030", HOLD), ("42P01", HOLD), ("42703", HOLD), ("42501", HOLD),
        ("XX000", HOLD), ("XX001", HOLD), ("54000", HOLD), ("25P02", HOLD), ("ZZ999", HOLD),
        ("22003", REFUSE), ("22P02", REFUSE), ("23502", REFUSE), ("23503", REFUSE), ("23505", REFUSE),
        ("23514", REFUSE),
    ],
)  # fmt: skip
@pytest.mark.parametrize("phase", [STATEMENT, COMMIT])
def test_the_verdict_follows_from_the_code(sqlstate, verdict, phase) -> None:
    assert verdict_of(sqlstate, phase).verdict is verdict


@pytest.mark.parametrize("sqlstate", [None, "57P03", "53300", "08001", "XX000"])
def test_nothing_was_sent_while_connecting_so_it_is_tried_again_and_never_unknown(sqlstate) -> None:
    assert verdict_of(sqlstate, CONNECT) == (RECONNECT, False)


@pytest.mark.parametrize("sqlstate", ["28000", "28P01", "3D000"])
def test_a_role_or_database_that_does_not_exist_is_for_people(sqlstate) -> None:
    assert verdict_of(sqlstate, CONNECT).verdict is HOLD


@pytest.mark.parametrize(
    ("sqlstate", "phase", "unknown"),
    [
        (None, COMMIT, True), ("08006", COMMIT, True), ("57P01", COMMIT, True), ("40003", COMMIT, True),
        (None, STATEMENT, False), ("57P01", STATEMENT, False),
        ("40001", COMMIT, False), ("23505", COMMIT, False), ("25006", COMMIT, False),
    ],
)  # fmt: skip
def test_a_lost_answer_leaves_a_commit_unknown(sqlstate, phase, unknown) -> None:
    assert verdict_of(sqlstate, phase).unknown is unknown


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (errors.SerializationFailure("x"), RETRY),
        (errors.ReadOnlySqlTransaction("an InternalError, and a failover all the same"), RECONNECT),
        (psycopg.OperationalError("the connection is closed"), RECONNECT),
        (DeadlineExceededError("frozen"), RECONNECT),
        (psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes"), REFUSE),
        (errors.NumericValueOutOfRange("x"), REFUSE),
        (errors.UndefinedTable("x"), HOLD),
    ],
)
@pytest.mark.parametrize("wrapper", [None, OperationalError, InternalError])
def test_an_error_is_judged_through_what_django_wraps_it_in(error, verdict, wrapper) -> None:
    wrapped = error
    if wrapper is not None:
        wrapped = wrapper(str(error))
        wrapped.__cause__ = error
    assert judge(wrapped, COMMIT).verdict is verdict
    assert sqlstate_of(wrapped) == (error.sqlstate or "")

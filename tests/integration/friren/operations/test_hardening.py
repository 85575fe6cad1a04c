"""A bot's session cannot talk the triggers out of looking at what it adds, nor show them another table."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection

from friren.core.ids import new_id
from friren.core.models import Account, AuditLog
from friren.core.triggers import OTHER_ACCOUNT_SQLSTATE, PERIOD_CLOSED_SQLSTATE
from friren.operations.grants import grant_writer
from friren.operations.hardening import guard_triggers
from tests import postgres as harness
from tests.factories import AccountFactory, SignalFactory

ROLE = "bot that tries"
CLOSED = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
# What is asked after the triggers: columns without a value.
INCOMPLETE = "23502"
LOOK_AWAY = "SELECT set_config('pgtrigger.ignore', (SELECT array_agg(tgname)::text FROM pg_trigger), false)"


@pytest.fixture(scope="module", autouse=True)
def _role(django_db_setup) -> Iterator[None]:
    with harness.admin_connection() as admin:
        admin.execute(f'CREATE ROLE "{ROLE}" LOGIN')
    yield
    with harness.admin_connection(connection.settings_dict["NAME"]) as admin:
        admin.execute(f'DROP OWNED BY "{ROLE}"; DROP ROLE "{ROLE}"')


@pytest.fixture
def account(database) -> Account:
    """Books that are closed."""
    found = AccountFactory()
    Account.objects.filter(pk=found.pk).update(closed_until=CLOSED)
    return found


@pytest.fixture
def bot(account) -> Iterator[psycopg.Connection]:
    grant_writer(ROLE)
    options = connection.get_connection_params()
    with psycopg.connect(
        dbname=options["dbname"], host=options.get("host"), port=options.get("port"), user=ROLE, autocommit=True
    ) as session:
        yield session


def pay_in(session: psycopg.Connection, account: Account) -> str:
    """Add a movement of cash that is dated in the closed period, and return what the server says first."""
    try:
        with session.transaction(force_rollback=True):
            session.execute(
                "INSERT INTO public.portfolio_manager_cashmovement (id, account_id, occurred_at) VALUES (%s, %s, %s)",
                [new_id(), account.pk, CLOSED - dt.timedelta(days=1)],
            )
    except psycopg.Error as exc:
        return exc.sqlstate
    return ""


def test_a_bot_that_tells_triggers_to_look_away_is_not_obeyed(bot, account) -> None:
    assert pay_in(bot, account) == PERIOD_CLOSED_SQLSTATE
    bot.execute(LOOK_AWAY)

    assert pay_in(bot, account) == PERIOD_CLOSED_SQLSTATE


def test_the_owner_of_the_tables_is_obeyed(account) -> None:
    with harness.admin_connection(connection.settings_dict["NAME"]) as owner:
        assert pay_in(owner, account) == PERIOD_CLOSED_SQLSTATE
        owner.execute(LOOK_AWAY)
        assert pay_in(owner, account) == INCOMPLETE
        owner.execute("SELECT set_config('pgtrigger.ignore', NULL, false)")
        assert pay_in(owner, account) == PERIOD_CLOSED_SQLSTATE


def test_a_temporary_table_does_not_open_a_closed_period(bot, account) -> None:
    bot.execute("CREATE TEMPORARY TABLE core_account (id uuid, closed_until timestamptz)")

    assert pay_in(bot, account) == PERIOD_CLOSED_SQLSTATE


def test_a_temporary_sequence_numbers_no_fact(bot) -> None:
    before = AuditLog.objects.order_by("-recorded_seq").first().recorded_seq
    bot.execute("CREATE TEMPORARY SEQUENCE friren_recorded_seq START 900000000")

    assert before < bot.execute("SELECT friren_next_seq()").fetchone()[0] < 900000000


def test_every_function_of_a_trigger_names_the_schema(database) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT proname FROM pg_proc WHERE proconfig IS NULL AND (proname LIKE 'pgtrigger%' "
            "OR proname LIKE 'friren%') AND prosrc ~ 'FROM \"?[a-z_]+\"? WHERE|nextval\\(''[a-z_]+''\\)'"
        )
        assert cursor.fetchall() == []
        cursor.execute("SELECT count(*) FROM pg_proc WHERE prosrc ~ 'FROM public.[a-z_\"]+ WHERE'")
        assert cursor.fetchone()[0] >= 10


def test_a_reference_to_another_account_is_refused_whatever_is_shown_to_the_trigger(bot, account) -> None:
    other = SignalFactory()
    bot.execute("CREATE TEMPORARY TABLE trading_engine_signal (id uuid, account_id uuid)")
    bot.execute("INSERT INTO pg_temp.trading_engine_signal VALUES (%s, %s)", [other.pk, account.pk])
    with bot.transaction(force_rollback=True), pytest.raises(psycopg.Error) as refusal:
        bot.execute(
            "INSERT INTO public.trading_engine_order (id, account_id, signal_id) VALUES (%s, %s, %s)",
            [new_id(), account.pk, other.pk],
        )

    assert refusal.value.sqlstate == OTHER_ACCOUNT_SQLSTATE


def test_a_migration_that_makes_the_functions_anew_is_followed(database) -> None:
    """Its function is written with every trigger that pgtrigger installs."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef('_pgtrigger_should_ignore(name)'::regprocedure)")
        (guarded,) = cursor.fetchone()
        call_command("pgtrigger", "install", "core.Account:frozen")
        cursor.execute("SELECT pg_get_functiondef('_pgtrigger_should_ignore(name)'::regprocedure)")
        assert cursor.fetchone() != (guarded,)
        assert guard_triggers()
        cursor.execute("SELECT pg_get_functiondef('_pgtrigger_should_ignore(name)'::regprocedure)")
        assert cursor.fetchone() == (guarded,)

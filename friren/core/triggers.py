"""
The rules the database itself keeps: facts stay as written, closed books stay closed.

Row triggers and not statement triggers where it can be: row triggers are cloned to partitions.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import pgtrigger

__all__ = [
    "MEANINGS",
    "OTHER_ACCOUNT_SQLSTATE",
    "PERIOD_CLOSED_SQLSTATE",
    "fact_triggers",
    "frozen_columns",
    "period_open",
    "same_account",
]

# SQLSTATEs of our own (class FR is free), so that a refusal is told apart by code, never by its text.
PERIOD_CLOSED_SQLSTATE: Final = "FR001"
OTHER_ACCOUNT_SQLSTATE: Final = "FR002"

# What a trigger does, by how its name begins; told in docs/reference/schema.md.
MEANINGS: Final = {
    "no_delete": "refuses every DELETE",
    "no_truncate": "refuses TRUNCATE",
    "period_open": "refuses an INSERT dated before the account's books were closed",
    "same_account": "refuses an INSERT that refers to a row of another account",
}


def frozen_columns(*columns: str) -> pgtrigger.Trigger:
    """Refuse an UPDATE that changes one of `columns`."""
    return pgtrigger.ReadOnly(name="frozen", fields=list(columns))


def fact_triggers(*, lifecycle: Iterable[str] = ()) -> list[pgtrigger.Trigger]:
    """
    Return the triggers of an append-only table.

    Args:
        lifecycle: the columns that may move after the insert; all others are frozen.
    """
    moving = list(lifecycle)
    frozen = pgtrigger.ReadOnly(name="frozen", exclude=moving) if moving else pgtrigger.ReadOnly(name="frozen")
    return [
        frozen,
        pgtrigger.Protect(name="no_delete", operation=pgtrigger.Delete),
        pgtrigger.Trigger(
            name="no_truncate",
            level=pgtrigger.Statement,
            when=pgtrigger.Before,
            operation=pgtrigger.Truncate,
            func="RAISE EXCEPTION 'pgtrigger: Cannot truncate the append-only table %', TG_TABLE_NAME;",
        ),
    ]


def period_open(time_column: str) -> pgtrigger.Trigger:
    """
    Refuse a new fact dated before the account's books were closed.

    `friren_closed_until` takes a share of the account's period lock before it looks, and the closing takes
    the whole of it: they wait for one another, and no fact can slip in behind the close. An advisory lock
    and not the account's row: row locks know no queue, and a closing would starve among busy writers.
    A row that is stored already passes: its insert is a replay, and ON CONFLICT has the last word.
    """
    return pgtrigger.Trigger(
        name="period_open",
        level=pgtrigger.Row,
        when=pgtrigger.Before,
        operation=pgtrigger.Insert,
        declare=[("closed", "timestamptz")],
        # The names put in are a column's and, by pgtrigger, the table's; both from the model.
        func=pgtrigger.Func(  # type: ignore[no-untyped-call]  # pgtrigger carries no types
            f"""
            closed := friren_closed_until(NEW.account_id);
            -- In two steps: with one AND, a null `closed` would have the table looked into for every row.
            IF NEW.{time_column} < closed THEN
                IF NOT EXISTS (SELECT FROM {{meta.db_table}} WHERE id = NEW.id) THEN
                    RAISE EXCEPTION 'the books are closed before %', closed
                        USING ERRCODE = '{PERIOD_CLOSED_SQLSTATE}', COLUMN = '{time_column}';
                END IF;
            END IF;
            RETURN NEW;
        """
        ),
    )


def same_account(reference: str, table: str) -> pgtrigger.Trigger:
    """
    Refuse a new fact that refers to a row of another account; a row of no account belongs to all.

    Costs nothing where nothing is referred to. A row that is not stored is left to the foreign key.

    Args:
        reference: name of the foreign key.
        table: that it refers to.
    """
    column = f"{reference}_id"
    return pgtrigger.Trigger(
        name=f"same_account_{reference}",
        level=pgtrigger.Row,
        when=pgtrigger.Before,
        operation=pgtrigger.Insert,
        condition=pgtrigger.Condition(f"NEW.{column} IS NOT NULL"),
        declare=[("owner", "uuid")],
        # The names put in are those of the models.
        func=f"""
            SELECT account_id INTO owner FROM {table} WHERE id = NEW.{column};
            IF owner <> NEW.account_id THEN
                RAISE EXCEPTION 'belongs to another account'
                    USING ERRCODE = '{OTHER_ACCOUNT_SQLSTATE}', COLUMN = '{column}';
            END IF;
            RETURN NEW;
        """,  # noqa: S608
    )

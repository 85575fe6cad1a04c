"""Does a role have the rights that it should have? Compared by the grid that rights are given by."""

from __future__ import annotations

from typing import Any, Final

from django.db import connection

from friren.operations.rights import APP_WRITER, BACKUP, PROFILES, Rights, rights_of, tables
from friren.operations.roles import OWNER

__all__ = ["check_rights", "profile_of"]

# As many as a line has room for.
_SHOWN_MAX: Final = 3
_VERBS: Final = ("SELECT", "INSERT", "UPDATE")
# What no role but the owner has on a table.
_NEVER: Final = ("DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")

_WHO: Final = """
    SELECT current_user, pg_get_userbyid(relowner), pg_has_role(relowner, 'MEMBER') FROM pg_class
    WHERE oid = to_regclass('public.core_account')
"""
_ACTUAL: Final = """
    SELECT c.relname,
           ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped
                 AND has_column_privilege(c.oid, attnum, 'SELECT')),
           ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped
                 AND has_column_privilege(c.oid, attnum, 'INSERT')),
           ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped
                 AND has_column_privilege(c.oid, attnum, 'UPDATE')),
           has_table_privilege(c.oid, 'DELETE'), has_table_privilege(c.oid, 'TRUNCATE'),
           has_table_privilege(c.oid, 'REFERENCES'), has_table_privilege(c.oid, 'TRIGGER')
    FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY (%s)
"""
# What a writer calls on its way: numbers for facts, the lock on a period, the month of a bar.
_CALLED: Final = """
    SELECT has_sequence_privilege('public.friren_recorded_seq', 'USAGE')
        AND has_function_privilege('public.friren_next_seq()', 'EXECUTE')
        AND has_function_privilege('public.friren_closed_until(uuid)', 'EXECUTE')
        AND has_function_privilege('public.friren_create_month(text, date)', 'EXECUTE')
        AND has_database_privilege(current_database(), 'TEMPORARY')
"""


def profile_of(role: str, owner: str) -> str:
    """Return the profile of a role: by its name, where it begins as the owner's does; a bot's otherwise."""
    prefix = owner.removesuffix(OWNER) if owner.endswith(f"_{OWNER}") else None
    return next((one for one in PROFILES if prefix is not None and role == prefix + one), APP_WRITER)


def check_rights() -> tuple[bool, str]:
    """Return whether the role of this connection may do what its profile may, and no more; in words, what to do."""
    found = _ask(_WHO)
    if not found:
        return False, "there are no tables yet: run `manage.py setup_database`"
    ((role, owner, owns),) = found
    if owns:
        return True, f"{role} owns the tables: migrations may, a bot should not sign in as it"
    profile = profile_of(role, owner)
    actual = {row[0]: row[1:] for row in _ask(_ACTUAL, [[model._meta.db_table for model in tables()]])}
    lacking, excess = [], []
    for model in tables():
        table = model._meta.db_table
        if table not in actual:
            continue  # the question for tables tells
        columns = frozenset(str(field.column) for field in model._meta.concrete_fields)
        less, more = _differences(_expected(profile, rights_of(profile, model)), actual[table], columns)
        lacking += [f"{verb} on {table}" for verb in less]
        excess += [f"{verb} on {table}" for verb in more]
    if profile == APP_WRITER and not lacking and _ask(_CALLED) != [(True,)]:
        lacking.append("functions, numbers for facts or temporary tables")
    if not lacking and not excess:
        return True, f"{role} may do what {profile} may, and no more"
    told = [f"lacks {_some(lacking)}"] if lacking else []
    told += [f"has {_some(excess)}, which {profile} should not have"] if excess else []
    return False, f"{role} {' and '.join(told)}: as {owner} or a superuser run {_remedy(role, owner, profile)}"


def _expected(profile: str, rights: Rights) -> Rights:
    return {"SELECT": ()} | dict(rights) if profile == BACKUP else rights


def _differences(expected: Rights, actual: Any, columns: frozenset[str]) -> tuple[list[str], list[str]]:
    less, more = [], []
    for verb, having in zip(_VERBS, actual, strict=False):
        wanted = frozenset(expected[verb]) or columns if verb in expected else frozenset()
        less += [verb] if wanted - frozenset(having) else []
        more += [verb] if frozenset(having) - wanted else []
    for verb, has in zip(_NEVER, actual[len(_VERBS) :], strict=True):
        less += [verb] if verb in expected and not has else []
        more += [verb] if has and verb not in expected else []
    return less, more


def _remedy(role: str, owner: str, profile: str) -> str:
    if owner.endswith(f"_{OWNER}") and role == owner.removesuffix(OWNER) + profile:
        return f"`manage.py setup_database --roles {owner.removesuffix(f'_{OWNER}')}`"
    return f"`manage.py setup_database --grant-writer {role}`"


def _some(what: list[str]) -> str:
    more = len(what) - _SHOWN_MAX
    return ", ".join(what[:_SHOWN_MAX]) + (f" and {more} more" if more > 0 else "")


def _ask(statement: str, params: Any = None) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return list(cursor.fetchall())

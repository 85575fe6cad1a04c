"""
Giving each role its rights: what the grid says, on the tables that are there and on those that come.

A role that trades owns no table. It may fill the columns of a fact, but not number it; update the columns that move,
and no other; delete and truncate nothing that is a fact. Triggers hold these rules too, but an owner can drop them; a
right that was never given cannot be taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import psycopg
from django.db import connection, transaction
from psycopg import sql

from friren.core.choices import AuditAction
from friren.errors import ConfigurationError
from friren.operations.connectivity import one_line
from friren.operations.rights import APP_WEB, APP_WRITER, FUNCTIONS, PROFILES, rights_of, tables
from friren.operations.roles import OWNER, named
from friren.persistence.audit import record_operation

__all__ = ["grant_writer", "profile_grants", "renew", "withdraw_from_public"]

# Tables that a statement names at a time, so that a person can read it.
_TABLES_PER_STATEMENT: Final = 8


def grant_writer(role: str) -> int:
    """
    Give `role` what a bot needs, and take everything else from it; return how many tables it may write to.

    In one transaction, by whoever owns the tables. A migration that comes later gives it what is new.

    Raises:
        ConfigurationError: there is no such role, or the tables are another's, or the role would have more rights
            than are given here: as a superuser, or as the owner of the tables.
    """
    _refuse_powerful(role)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            for statement in profile_grants(APP_WRITER, role):
                cursor.execute(statement)
            record_operation(
                AuditAction.CONFIG_CHANGE, source="setup_database", model_label="role", object_pk=role,
                after={"rights": "writer"}, using="default",
            )  # fmt: skip
    except Exception as exc:
        cause = exc.__cause__
        if isinstance(cause, psycopg.errors.InsufficientPrivilege):
            raise ConfigurationError(f"only the owner of the tables can give rights: {one_line(exc)}") from exc
        raise
    return sum("INSERT" in rights_of(APP_WRITER, model) for model in tables())


def renew() -> list[str]:
    """
    Give the roles that have rights here what the tables of today ask for; return their names.

    After a migration and after a restore. The roles are known by the database itself: those that are named like the
    owner of the tables, and bots, who may draw numbers for facts. Done by members of the owner; others change nothing.
    """
    with connection.cursor() as cursor:
        cursor.execute(_KNOWN)
        owner, may = cursor.fetchone() or (None, False)
        if owner is None or not may:
            return []
        cursor.execute("SELECT rolname FROM pg_roles WHERE rolname ~ '_' AND NOT rolsuper")
        there = {name for (name,) in cursor.fetchall()}
        cursor.execute(_WRITERS)
        writers = {name for (name,) in cursor.fetchall()}
    prefix = owner.removesuffix(f"_{OWNER}") if owner.endswith(f"_{OWNER}") else None
    known = {named(prefix, profile): profile for profile in PROFILES} if prefix else {}
    profiles = {name: known.get(name, APP_WRITER) for name in sorted((known.keys() & there) | writers)}
    with transaction.atomic(), connection.cursor() as cursor:
        if prefix:
            cursor.execute(withdraw_from_public())
        for name, profile in profiles.items():
            for statement in profile_grants(profile, name):
                cursor.execute(statement)
    return list(profiles)


def withdraw_from_public() -> sql.Composed:
    """Return the statement that takes from everybody what a new database gives everybody."""
    return sql.Composed([sql.SQL(_PUBLIC)])


def profile_grants(profile: str, role: str) -> Iterator[sql.Composed]:
    """Yield the statements that give a role the rights of a profile and no other, in order."""
    to = sql.Identifier(role)
    for objects in ("TABLES", "SEQUENCES"):
        yield sql.SQL("REVOKE ALL ON ALL {} IN SCHEMA public FROM {}").format(sql.SQL(objects), to)
    yield sql.SQL("REVOKE CREATE ON SCHEMA public FROM {}").format(to)
    yield sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(to)
    writes = profile in (APP_WRITER, APP_WEB)
    if writes:
        yield sql.SQL("GRANT USAGE, SELECT ON SEQUENCE friren_recorded_seq TO {}").format(to)
    whole: dict[str, list[str]] = {}
    for model in tables():
        for verb, columns in rights_of(profile, model).items():
            if columns:
                listed = sql.SQL(", ").join(map(sql.Identifier, columns))
                table = sql.Identifier(model._meta.db_table)
                yield sql.SQL("GRANT {} ({}) ON {} TO {}").format(sql.SQL(verb), listed, table, to)
            else:
                whole.setdefault(verb, []).append(model._meta.db_table)
    for verb, names in sorted(whole.items(), key=lambda item: item[0] != "SELECT"):
        for begin in range(0, len(names), _TABLES_PER_STATEMENT):
            some = sql.SQL(", ").join(map(sql.Identifier, names[begin : begin + _TABLES_PER_STATEMENT]))
            yield sql.SQL("GRANT {} ON {} TO {}").format(sql.SQL(verb), some, to)
    yield sql.SQL(_AROUND).format(
        role=sql.Literal(role),
        writes=sql.Literal(writes),
        definers=sql.SQL(", ").join(sql.Literal(function) for function in FUNCTIONS),
    )


def _refuse_powerful(role: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rolsuper, (SELECT count(*) FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace "
            "AND c.relkind IN ('r', 'p') AND pg_has_role(r.oid, c.relowner, 'MEMBER')) "
            "FROM pg_roles r WHERE rolname = %s",
            [role],
        )
        found = cursor.fetchone()
    if found is None:
        raise ConfigurationError(f"there is no role {role}: CREATE ROLE {role} LOGIN PASSWORD '…' makes it")
    if found[0]:
        raise ConfigurationError(f"{role} is a superuser, from whom nothing can be withheld: take another role")
    if found[1]:
        raise ConfigurationError(f"{role} owns {found[1]} of the tables: let another role own them")


# Who owns the tables, and whether this session may give rights on them.
_KNOWN: Final = """
    SELECT pg_get_userbyid(relowner), pg_has_role(relowner, 'MEMBER') FROM pg_class
    WHERE oid = to_regclass('public.core_account')
"""
# Who may draw numbers for facts: what a bot needs, and nobody gets by the way.
_WRITERS: Final = """
    SELECT DISTINCT pg_get_userbyid(g.grantee) FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) AS g
    WHERE c.oid = to_regclass('public.friren_recorded_seq') AND g.privilege_type = 'USAGE'
        AND g.grantee NOT IN (0, c.relowner)
"""
_PUBLIC: Final = """DO $$
DECLARE
    keeper regrole := (SELECT relowner FROM pg_class WHERE oid = 'public.core_account'::regclass);
    found record;
BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    REVOKE ALL ON SCHEMA public FROM PUBLIC;
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %s REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC', keeper);
    FOR found IN
        SELECT p.oid::regprocedure AS name FROM pg_proc p
        WHERE p.pronamespace = 'public'::regnamespace AND p.prokind = 'f' AND NOT EXISTS (SELECT FROM pg_depend d
            WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', found.name);
    END LOOP;
END
$$"""
# What depends on what is there: the database's name, functions, partitions (a table of their own for who asks for one
# by name), the archive. And on what is to come: tables that were made by hand can be read; the grid's are given
# their rights by the migration that makes them.
_AROUND: Final = """DO $$
DECLARE
    somebody name := {role};
    keeper regrole := (SELECT relowner FROM pg_class WHERE oid = 'public.core_account'::regclass);
    found record;
BEGIN
    IF NOT has_database_privilege(somebody, current_database(), 'CONNECT') THEN
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), somebody);
    END IF;
    EXECUTE format(
        'ALTER DEFAULT PRIVILEGES FOR ROLE %s IN SCHEMA public GRANT SELECT ON TABLES TO %I', keeper, somebody
    );
    FOR found IN
        SELECT c.oid::regclass AS name FROM pg_class c
        WHERE c.relispartition AND c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
    LOOP
        EXECUTE format('GRANT SELECT ON TABLE %s TO %I', found.name, somebody);
    END LOOP;
    IF to_regnamespace('archive') IS NOT NULL THEN
        EXECUTE format('GRANT USAGE ON SCHEMA archive TO %I', somebody);
        EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA archive TO %I', somebody);
        EXECUTE format(
            'ALTER DEFAULT PRIVILEGES FOR ROLE %s IN SCHEMA archive GRANT SELECT ON TABLES TO %I', keeper, somebody
        );
    END IF;
    IF {writes} THEN
        -- A batch that is refused is looked through in a temporary table.
        IF NOT has_database_privilege(somebody, current_database(), 'TEMPORARY') THEN
            EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO %I', current_database(), somebody);
        END IF;
        -- A function that works with the caller's rights adds none.
        FOR found IN
            SELECT p.oid::regprocedure AS name FROM pg_proc p
            WHERE p.pronamespace = 'public'::regnamespace AND p.prokind = 'f'
                AND (NOT p.prosecdef OR p.oid = ANY (ARRAY[{definers}]::regprocedure[]))
                AND NOT EXISTS (SELECT FROM pg_depend d
                    WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
        LOOP
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', found.name, somebody);
        END LOOP;
    END IF;
END
$$"""

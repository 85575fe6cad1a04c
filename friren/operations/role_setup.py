"""Make the roles of a server, and give them the database and their rights; `script` prints what is done."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import psycopg
from psycopg import sql

from friren.errors import ConfigurationError, shown
from friren.operations import passwords
from friren.operations.connectivity import one_line
from friren.operations.grants import profile_grants, withdraw_from_public
from friren.operations.rights import PROFILES
from friren.operations.roles import OWNER, ROLES, Role, create, describe, named, ownership

__all__ = ["check_prefix", "give_rights", "make_roles", "names", "script", "take_over"]

# A role's own name, so that nothing has to be quoted in pg_hba.conf and on command lines.
_PREFIX: Final = re.compile(r"[a-z][a-z0-9_]{0,40}")
_HEAD: Final = """\
-- The roles of Friren, and what each may do. `manage.py setup_database --sql` prints this; `--roles` does it.
-- Run by a superuser in Friren's database, after `manage.py migrate`. Later migrations renew the rights by themselves.
-- No password is in it: `\\password {migrator}` in psql sets one, and `ALTER ROLE {migrator} LOGIN` lets it sign in.

BEGIN;
"""


def check_prefix(prefix: str) -> str:
    """Return what the names of the roles begin with; refuse what would have to be quoted somewhere."""
    if not _PREFIX.fullmatch(prefix):
        raise ConfigurationError(f"--roles {shown(prefix)}: write lower-case letters, digits and _ (41 at most)")
    return prefix


def names(prefix: str, *, sign_in: bool = False) -> list[str]:
    """Return the names of the roles, or of those that may sign in."""
    return [named(prefix, role.suffix) for role in ROLES if role.signs_in or not sign_in]


def script(prefix: str) -> str:
    """Return everything as SQL, for a person to read and to run. Connects to nothing."""
    lines = [_HEAD.format(migrator=named(prefix, "migrator"))]
    for role in ROLES:
        name = named(prefix, role.suffix)
        lines.append(f"-- {name}: {role.why}.")
        lines.append(
            f"DO $$ BEGIN IF to_regrole('{name}') IS NULL THEN {create(prefix, role).as_string(None)}; END IF; END $$;"
        )
        lines += [f"{statement.as_string(None)};" for statement in describe(prefix, role, superuser=True)]
        lines.append("")
    lines.append("-- What a new database gives to everybody; and whose the tables are.")
    for statement in (ownership(prefix), withdraw_from_public()):
        lines += [f"{statement.as_string(None)};", ""]
    for profile in PROFILES:
        lines.append(f"-- {named(prefix, profile)}: its rights, and no other.")
        lines += [f"{statement.as_string(None)};" for statement in profile_grants(profile, named(prefix, profile))]
        lines.append("")
    return "\n".join([*lines, "COMMIT;"])


def make_roles(
    session: psycopg.Connection[Any], prefix: str, secrets: Mapping[str, str]
) -> Iterator[tuple[str, str, str]]:
    """
    Make the roles that are missing; those that get a password may sign in from now on.

    Args:
        session: of a superuser, or of a role that may make roles.

    Yields:
        Name, "done" or "unchanged", and a word on it.

    Raises:
        ConfigurationError: it may not be done, or a role of that name is a superuser.
    """
    found = session.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
    superuser = found == (True,)
    for role in ROLES:
        name = named(prefix, role.suffix)
        try:
            with session.transaction():
                made = _make_role(session, prefix, role, superuser=superuser)
                if password := secrets.get(name):
                    session.execute(
                        sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(
                            sql.Identifier(name), passwords.hashed(session, name, password)
                        )
                    )
        except psycopg.Error as exc:
            raise ConfigurationError(
                f"the role {name} cannot be made: {one_line(exc)}: set DB_ADMIN_URL to a role that may"
            ) from exc
        yield name, "done" if made or password else "unchanged", _told(session, role, name, password=bool(password))


def take_over(session: psycopg.Connection[Any], prefix: str) -> None:
    """
    Give the database, and what another role owns in it, to the owner: so that the migrator can migrate it.

    Raises:
        ConfigurationError: the session may not.
    """
    try:
        session.execute(ownership(prefix))
    except psycopg.Error as exc:
        raise ConfigurationError(
            f"the database cannot be given to {named(prefix, OWNER)}: {one_line(exc)}: set DB_ADMIN_URL to a superuser"
        ) from exc


def give_rights(session: psycopg.Connection[Any], prefix: str) -> bool:
    """
    Give the database and all that is in it to the owner, and each role its rights, all or nothing.

    Returns:
        Whether anything was other than it is now.

    Raises:
        ConfigurationError: the session may not.
    """
    try:
        with session.transaction():
            before = session.execute(_RIGHTS).fetchall()
            session.execute(ownership(prefix))
            session.execute(withdraw_from_public())
            for profile in PROFILES:
                for statement in profile_grants(profile, named(prefix, profile)):
                    session.execute(statement)
            return session.execute(_RIGHTS).fetchall() != before
    except psycopg.Error as exc:
        raise ConfigurationError(f"rights cannot be given: {one_line(exc)}: set DB_ADMIN_URL to a superuser") from exc


def _make_role(session: psycopg.Connection[Any], prefix: str, role: Role, *, superuser: bool) -> bool:
    name = named(prefix, role.suffix)
    found = session.execute("SELECT rolsuper FROM pg_roles WHERE rolname = %s", [name]).fetchone()
    if found == (True,):
        raise ConfigurationError(f"{name} is a superuser, from whom nothing can be withheld: take another prefix")
    if found is None:
        session.execute(create(prefix, role))
    for statement in describe(prefix, role, superuser=superuser):
        session.execute(statement)
    if role.suffix == OWNER and not superuser:
        # So that what belongs to it can be given to it.
        session.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(name)))
    return found is None


def _told(session: psycopg.Connection[Any], role: Role, name: str, *, password: bool) -> str:
    found = session.execute("SELECT rolcanlogin, rolreplication FROM pg_roles WHERE rolname = %s", [name]).fetchone()
    can_login, replicates = found or (False, False)
    told = [role.why]
    if password:
        told.append("password set")
    elif role.signs_in and not can_login:
        told.append("cannot sign in before it has a password: DB_ROLE_PASSWORDS_FILE or --ask")
    if "REPLICATION" in role.attributes and not replicates:
        told.append("only a superuser can give it REPLICATION, which base backups need")
    return "; ".join(told)


# Every right in the database, and whose everything is; the order in which they were given is no difference.
_RIGHTS: Final = """
    SELECT kind::text, id, owner, ARRAY(SELECT unnest(acl)::text ORDER BY 1) FROM (
        SELECT 'relation', oid, relowner, relacl FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'S')
        UNION ALL SELECT attname, attrelid, 0, attacl FROM pg_attribute WHERE attacl IS NOT NULL
        UNION ALL SELECT 'function', oid, proowner, proacl FROM pg_proc WHERE pronamespace = 'public'::regnamespace
        UNION ALL SELECT 'schema', oid, nspowner, nspacl FROM pg_namespace WHERE nspname IN ('public', 'archive')
        UNION ALL SELECT 'database', oid, datdba, datacl FROM pg_database WHERE datname = current_database()
        UNION ALL SELECT 'default ' || defaclobjtype::text, defaclnamespace, defaclrole, defaclacl FROM pg_default_acl
    ) AS told (kind, id, owner, acl) ORDER BY 1, 2, 3
"""

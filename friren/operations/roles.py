"""
The roles of a server that more than one program uses: each may do what it is for, and no more.

    friren_owner       owns, signs in nowhere
    friren_migrator    signs in, works as the owner: migrations, restores, archives
    friren_app_writer  bots                 friren_app_ro   people and reports
    friren_app_web     the admin            friren_backup   dumps          friren_monitor   health and metrics

The names begin with a prefix, so that one server can have those of a production and of a test. Everything here is
SQL, and `setup_database --sql` prints it: a person can read it before it is run, and run it by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from psycopg import sql

from friren.operations.rights import APP_RO, APP_WEB, APP_WRITER, BACKUP, MONITOR

__all__ = ["MIGRATOR", "OWNER", "PREFIX", "ROLES", "Role", "create", "describe", "named", "ownership"]

OWNER: Final = "owner"
MIGRATOR: Final = "migrator"
PREFIX: Final = "friren"


@dataclass(frozen=True, slots=True)
class Role:
    """
    One role.

    Attributes:
        why: what it is for, in words; the server keeps it as the comment on the role.
        signs_in: whether it may, once it has a password.
        attributes: beyond those of a new role, which has none.
        member_of: of our own roles, by suffix, or of PostgreSQL's.
        settings: of its sessions. What a client asks for itself goes before them; Friren's own sessions ask for
            their time limits.
        connections: at once; -1 for as many as the server has.
    """

    suffix: str
    why: str
    signs_in: bool = True
    attributes: tuple[str, ...] = ()
    member_of: tuple[str, ...] = ()
    settings: dict[str, str] = field(default_factory=dict)
    connections: int = -1


# Names in the code of ours are found in `public`, whatever schema a role of the same name may get.
_PATH: Final = {"search_path": "public"}
_IDLE: Final = {"idle_in_transaction_session_timeout": "60s"}

ROLES: Final = (
    Role(
        OWNER,
        "owns the database and all that is in it; nobody signs in as it",
        signs_in=False,
        # A restore makes the database anew beside the old one, and ends the sessions that hold the old one; an upgrade
        # ends those that could write, and has to see since when they are there.
        attributes=("CREATEDB",),
        member_of=("pg_signal_backend", "pg_read_all_stats"),
    ),
    Role(
        MIGRATOR,
        "migrates, restores and archives; what it makes is the owner's",
        member_of=(OWNER,),
        settings={"role": OWNER, **_PATH},
    ),
    Role(APP_WRITER, "bots: adds facts and keeps books, changes nothing that was stored", settings={**_PATH, **_IDLE}),
    Role(APP_WEB, "the admin: what a bot does, people, sessions and what they keep up", settings={**_PATH, **_IDLE}),
    Role(
        APP_RO,
        "people and reports: reads, and gives way",
        settings={"default_transaction_read_only": "on", "statement_timeout": "30s", **_PATH, **_IDLE},
        connections=20,
    ),
    Role(
        BACKUP,
        "pg_dump and pg_basebackup: reads everything, notes its backups",
        attributes=("REPLICATION",),
        member_of=("pg_read_all_data",),
        settings=_PATH,
        connections=5,
    ),
    Role(
        MONITOR,
        "health and metrics: reads, and keeps samples of figures",
        member_of=("pg_monitor",),
        settings={"statement_timeout": "10s", **_PATH, **_IDLE},
        connections=5,
    ),
)


def named(prefix: str, suffix: str) -> str:
    """Return the name of a role."""
    return f"{prefix}_{suffix}"


def create(prefix: str, role: Role) -> sql.Composed:
    """Return the statement that makes a role which is not there; it cannot sign in before it has a password."""
    # What only a superuser may give is asked for by itself, so that another administrator can do all the rest.
    given = [attribute for attribute in role.attributes if attribute != "REPLICATION"]
    return sql.SQL("CREATE ROLE {} {}").format(
        sql.Identifier(named(prefix, role.suffix)), sql.SQL(" ".join(["NOLOGIN", *given]))
    )


def describe(prefix: str, role: Role, *, superuser: bool) -> Iterator[sql.Composed]:
    """Yield what a role has beside its rights: memberships, settings, the number of its sessions, a comment."""
    name = sql.Identifier(named(prefix, role.suffix))
    if superuser and "REPLICATION" in role.attributes:
        yield sql.SQL("ALTER ROLE {} REPLICATION").format(name)
    for group in role.member_of:
        member_of = named(prefix, group) if group == OWNER else group
        yield sql.SQL("GRANT {} TO {}").format(sql.Identifier(member_of), name)
    for setting, value in role.settings.items():
        shown = named(prefix, value) if setting == "role" else value
        yield sql.SQL("ALTER ROLE {} SET {} = {}").format(name, sql.SQL(setting), sql.Literal(shown))
    if role.connections >= 0:
        yield sql.SQL("ALTER ROLE {} CONNECTION LIMIT {}").format(name, sql.Literal(role.connections))
    yield sql.SQL("COMMENT ON ROLE {} IS {}").format(name, sql.Literal(role.why))


def ownership(prefix: str) -> sql.Composed:
    """Return the statement that gives the database and all that is ours in it to the owner."""
    return sql.SQL(_OWNERSHIP).format(owner=sql.Literal(named(prefix, OWNER)))


# Not REASSIGN OWNED: it would take the other databases of the old owner along, and refuses a superuser's. What
# belongs to an extension stays with it, and the sequence of a column goes with its table.
_OWNERSHIP: Final = """DO $$
DECLARE
    new_owner name := {owner};
    found record;
BEGIN
    IF (SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()) <> new_owner THEN
        EXECUTE format('ALTER DATABASE %I OWNER TO %I', current_database(), new_owner);
    END IF;
    FOR found IN
        SELECT 'SCHEMA' AS kind, quote_ident(nspname) AS name FROM pg_namespace
            WHERE nspname = 'archive' AND pg_get_userbyid(nspowner) <> new_owner
        UNION ALL
        SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
            ELSE 'TABLE' END, c.oid::regclass::text
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname IN ('public', 'archive') AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
            AND pg_get_userbyid(c.relowner) <> new_owner
            AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                AND d.deptype IN ('e', 'a', 'i') AND (c.relkind = 'S' OR d.deptype = 'e'))
        UNION ALL
        SELECT CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, p.oid::regprocedure::text
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname IN ('public', 'archive') AND p.prokind IN ('f', 'p')
            AND pg_get_userbyid(p.proowner) <> new_owner
            AND NOT EXISTS (SELECT FROM pg_depend d
                WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
        UNION ALL
        SELECT 'TYPE', t.oid::regtype::text
        FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
        WHERE n.nspname IN ('public', 'archive')
            AND (t.typtype IN ('e', 'd', 'r')
                OR EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))
            AND pg_get_userbyid(t.typowner) <> new_owner
            AND NOT EXISTS (SELECT FROM pg_depend d
                WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e')
    LOOP
        EXECUTE format('ALTER %s %s OWNER TO %I', found.kind, found.name, new_owner);
    END LOOP;
END
$$"""

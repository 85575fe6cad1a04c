"""
Eight questions to a machine and its database that should be ready; the answers change nothing.

They are those of the check lists that Friren's users had: are the programs installed and the server running, does
it take this role and has it this database, are the tables there, are Python's packages, and can Python write. Each
has one line for an answer, and when it is FAIL the line says what to do.
"""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import psycopg
from django.apps import apps
from django.conf import settings
from django.db import DatabaseError, connection, connections, transaction
from django.utils import timezone
from psycopg.conninfo import make_conninfo

from friren.database_config import hosts, is_loopback
from friren.errors import ConfigurationError, FrirenError
from friren.operations import schema
from friren.operations.backup.programs import find_programs
from friren.operations.connectivity import connect_directly, explain, one_line
from friren.operations.health.drift import check_tables
from friren.operations.health.ground import SERVER_MAJOR_MIN
from friren.operations.provisioning import MAINTENANCE_DATABASE, Step
from friren.operations.role_check import check_rights

__all__ = ["verify"]

CLOCK_SECONDS_MAX: Final = 5.0
# Without these the later ones would only wait for the same error.
_NEEDED: Final = ("server", "login", "database")

Answer = tuple[bool, str]


def verify() -> Iterator[Step]:
    """Yield one step per question, PASS or FAIL. What hangs on an answer that was FAIL is not asked."""
    for name, question in _QUESTIONS:
        try:
            passed, detail = question()
        except (DatabaseError, psycopg.Error, FrirenError) as exc:
            passed, detail = False, explain(exc)
        yield Step(name, "PASS" if passed else "FAIL", detail)
        if name in _NEEDED and not passed:
            return


def _packages() -> Answer:
    try:
        asked = importlib.metadata.requires("friren") or []
    except importlib.metadata.PackageNotFoundError:
        return False, "friren itself is not installed: run `python3 -m uv sync`"
    wrong = [told for line in asked if "extra ==" not in line and (told := _unmet(line))]
    if wrong:
        return False, f"{'; '.join(wrong)}: run `python3 -m uv sync`, or `pip install --upgrade friren`"
    return True, f"psycopg {psycopg.__version__} with libpq {psycopg.pq.version()}, and all others"


def _unmet(requirement: str) -> str:
    """Return what is wrong with a package; only the least version is looked at, as an old one is what happens."""
    match = re.match(r"([A-Za-z0-9._-]+)(?:[^;>]*>=([0-9.]+))?", requirement)
    name, least = (match[1], match[2] or "0") if match else (requirement, "0")
    try:
        found = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return f"{name} is not installed"
    return f"{name} {found} is older than {least}" if _numbers(found) < _numbers(least) else ""


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


def _server() -> Answer:
    parameters = {name: value for name, value in _parameters().items() if name in {"host", "port", "connect_timeout"}}
    answer = psycopg.pq.PGconn.ping(make_conninfo(**parameters).encode())
    where = (
        ", ".join(str(parameters.get(name, "")) for name in ("host", "port") if parameters.get(name)) or "this machine"
    )
    if answer == psycopg.pq.Ping.OK:
        return True, where
    if answer == psycopg.pq.Ping.REJECT:
        return False, f"{where}: the server starts or stops, and takes nobody now: try again in a minute"
    return False, f"{where}: no server answers: is it running, at that host and port, and no firewall between?"


def _login() -> Answer:
    """Sign in: to the database, or where that is missing to the one that is always there."""
    user, password = _parameters().get("user", ""), "the password in DATABASE_URL or DB_PASSWORD"
    try:
        session = connect_directly()
    except psycopg.OperationalError as exc:
        try:
            session = connect_directly(dbname=MAINTENANCE_DATABASE)
        except psycopg.OperationalError:
            return (
                False,
                f"{one_line(exc)}: check role and {password}; `setup_database` with DB_ADMIN_URL makes the role",
            )
    with session:
        encrypted = session.pgconn.ssl_in_use
        away = not all(map(is_loopback, hosts(connection.settings_dict)))
        mode = str(_parameters().get("sslmode", ""))
        if away and (not encrypted or mode not in {"verify-ca", "verify-full"}):
            how = f"is encrypted, but sslmode={mode} takes any server for it" if encrypted else "is not encrypted"
            return False, f"the connection to another machine {how}: set DB_SSLMODE=verify-full and DB_SSLROOTCERT"
        return True, f"{user}, {'encrypted' if encrypted else 'on this machine, not encrypted'}"


def _database() -> Answer:
    name = str(_parameters()["dbname"])
    try:
        session = connect_directly()
    except psycopg.OperationalError as exc:
        return False, f"{one_line(exc)}: `manage.py setup_database` makes the database {name}"
    with session:
        ((version, number, encoding, collation, kept, zone, language, clock),) = session.execute(_ABOUT).fetchall()
    apart = abs((clock - timezone.now()).total_seconds())  # facts are stamped here, when they are stored is there
    sql = f'ALTER DATABASE "{name}"'
    troubles = {
        f"PostgreSQL {version} is too old: install {SERVER_MAJOR_MIN} or newer": number < SERVER_MAJOR_MIN,
        f"its encoding is {encoding}: make it anew with ENCODING 'UTF8' TEMPLATE template0": encoding != "UTF8",
        f"it sorts by rules of version {kept}, and the system has others: REINDEX it, then "
        f"{sql} REFRESH COLLATION VERSION": kept is not None,
        f"sessions begin in time zone {zone}: {sql} SET timezone = 'UTC'": zone not in _UTC,
        "the extension plpgsql is not there, and triggers need it: CREATE EXTENSION plpgsql": not language,
        f"its clock and ours are {apart:.0f} s apart: let both follow NTP": apart > CLOCK_SECONDS_MAX,
    }
    told = [trouble for trouble, there in troubles.items() if there]
    return not told, "; ".join(told) or f"{name} on PostgreSQL {version}, {encoding}, {collation}, {zone}"


_UTC: Final = frozenset({"UTC", "Etc/UTC", "GMT", "Etc/GMT", "Etc/UCT", "UCT", "Zulu"})
# The version of a collation, where an update of the system has changed how it sorts: indexes are wrong then. As text
# of the row: the columns have other names in other versions.
_ABOUT: Final = """
    SELECT current_setting('server_version'), current_setting('server_version_num')::int / 10000,
           pg_encoding_to_char(encoding), datcollate,
           CASE WHEN datcollversion IS DISTINCT FROM pg_database_collation_actual_version(oid)
                THEN coalesce(datcollversion, 'none') END,
           current_setting('TimeZone'), EXISTS (SELECT FROM pg_language WHERE lanname = 'plpgsql'), clock_timestamp()
    FROM pg_database WHERE datname = current_database()
"""


def _programs() -> Answer:
    with connect_directly() as session:
        version = session.info.server_version // 10_000
        encrypted = session.pgconn.ssl_in_use
        (backs_up,) = session.execute("SELECT pg_has_role('pg_read_all_data', 'MEMBER')").fetchone() or (True,)
    try:
        found = find_programs(version, encrypted=encrypted)
    except ConfigurationError as exc:
        if not backs_up and not _owns():
            return True, f"none of PostgreSQL {version} here, and this role makes no backups"
        return False, f"{exc}; backups need them"
    return True, f"pg_dump {found.version} in {found.directory}"


def _owns() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_has_role(datdba, 'MEMBER') FROM pg_database WHERE datname = current_database()")
        return bool(cursor.fetchone()[0])


def _tables() -> Answer:
    missing = schema.unapplied()
    if missing:
        return False, f"{len(missing)} migrations are not applied: run `manage.py migrate`, or `upgrade` where data is"
    drift = check_tables()
    if not drift.ok:
        return False, f"{drift.message}: restore a backup, or find out who altered them"
    if not apps.get_model("core", "User")._default_manager.filter(username="system").exists():
        return False, "the user `system` is missing: run `manage.py setup_database`"
    if not apps.get_model("core", "SystemMetadata")._default_manager.exists():
        return False, "the system's own notes are missing: run `manage.py setup_database`"
    return True, drift.message


def _python() -> Answer:
    """Ask as a logger would: on Django's connection, from the pool where there is one, in a transaction."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT current_user, current_setting('transaction_read_only'), pg_is_in_recovery()")
        user, read_only, replica = cursor.fetchone()
    pooled = "pooled" if connections.settings["default"]["OPTIONS"].get("pool") else "not pooled"
    if replica:
        return False, "this server is a replica, which takes no facts: name the primary"
    if read_only == "on" and not user.endswith("_app_ro"):
        return False, "sessions are read-only: an upgrade was begun here (`manage.py upgrade`), or somebody has set it"
    return True, f"signed in as {user}, {pooled}" + ("" if read_only == "off" else ", read-only as it should be")


def _parameters() -> dict[str, Any]:
    if settings.FRIREN_EMBEDDED and settings.FRIREN_EMBEDDED_AUTOSTART:
        connection.ensure_connection()  # which starts it
    return connection.get_connection_params()


_QUESTIONS: Final[tuple[tuple[str, Callable[[], Answer]], ...]] = (
    ("packages", _packages),
    ("server", _server),
    ("login", _login),
    ("database", _database),
    ("programs", _programs),
    ("rights", check_rights),
    ("tables", _tables),
    ("python", _python),
)

"""The configuration that we ship starts a server, which speaks TLS by a certificate of one's own; all work over it."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from friren import embedded
from friren.embedded.binaries import find_binaries
from friren.embedded.location import server_identity
from tests.postgres import ROOT, binaries
from tests.servers import make_folder, manage, python, remove_folder

DEPLOY = ROOT / "deploy" / "postgres"
HOW_TO = (ROOT / "docs" / "how-to" / "tls.md").read_text()
# The wheel's PostgreSQL is built without TLS; Debian's is not.
DEBIANS = Path("/usr/lib/postgresql/15/bin")
SECRET = "open sesame/@:%"
ENCODED = "open%20sesame%2F%40%3A%25"
ROLES = ("migrator", "app_writer", "app_web", "app_ro", "backup", "monitor")


@dataclasses.dataclass
class Site:
    """A server with our configuration, and the folder of its certificates."""

    location: embedded.Location
    folder: Path

    def url(self, role: str, *, host: str = "localhost", mode: str = "verify-full", ca: str = "ca.crt") -> str:
        return (
            f"postgresql://friren_{role}:{ENCODED}@{host}:{self.location.port}/trading_system"
            f"?sslmode={mode}&sslrootcert={self.folder / ca}"
        )

    def admin(self, database: str = "trading_system") -> str:
        return f"postgresql://friren@/{database}?host={self.location.socket_directory}&port={self.location.port}"

    def run(self, role: str, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        settings = {"DATABASE_URL": self.url(role), "SECRET_KEY": "only for tests", "FRIREN_EMBEDDED_BIN": "",
                    "DB_CONNECT_TIMEOUT": "30"}  # fmt: skip
        return manage(*arguments, home=self.folder, **settings | changes)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(home: Path, programs: Path | None, *, local: str = "") -> embedded.Location:
    """Start a server with our configuration and access rules in front of which the tests' superuser gets in."""
    location = dataclasses.replace(embedded.locate(home, binaries=programs), port=free_port())
    embedded.start(location)
    embedded.stop(location)
    for name, target in (("friren.conf", "friren.local.conf"), ("pg_hba.conf", "pg_hba.conf")):
        text = (DEPLOY / name).read_text()
        if name == "pg_hba.conf":
            text = f"local all friren trust\n{text}"
        (location.data / target).write_text(text + (local if name == "friren.conf" else ""))
    identity = server_identity(location)
    for file in home.glob("server.*"):
        shutil.copy(file, location.data)
        (location.data / file.name).chmod(0o600)
        if identity:
            os.chown(location.data / file.name, identity.uid, identity.gid)
    embedded.start(location)
    return location


def certificates(folder: Path) -> None:
    """Do what the how-to says."""
    (lines,) = re.findall(r"```sh\n(HOST=.*?)```", HOW_TO, re.DOTALL)
    lines = lines.replace("db.example.org", "localhost")
    subprocess.run(["sh", "-e", "-c", lines], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    if not (DEBIANS / "postgres").exists():
        (pytest.fail if os.environ.get("FRIREN_TEST_ALL") else pytest.skip)(
            f"needs PostgreSQL 15 in {DEBIANS}, see .ci/run"
        )
    home = make_folder()
    other = home / "other"
    other.mkdir()
    certificates(home)
    certificates(other)
    location = start(home, DEBIANS)
    passwords = home / "passwords"
    passwords.write_text("".join(f"friren_{role}={SECRET}\n" for role in ROLES))
    passwords.chmod(0o600)
    made = Site(location, home)
    try:
        done = made.run("migrator", "setup_database", "--roles", "--json", DB_ADMIN_URL=made.admin("postgres"),
                        DB_ROLE_PASSWORDS_FILE=str(passwords))  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert SECRET not in done.stdout + location.log.read_text()
        yield made
    finally:
        embedded.stop(location)
        remove_folder(home)


def test_our_configuration_starts_a_server_of_the_version_that_is_tested() -> None:
    home = make_folder()
    programs = find_binaries(binaries(), identity=None)
    location = None
    try:
        # Without TLS where there is none.
        location = start(home, binaries(), local="ssl = off\n")
        with psycopg.connect(
            f"postgresql://friren@/friren?host={location.socket_directory}&port={location.port}"
        ) as session:
            told = session.execute(
                "SELECT name, error FROM pg_file_settings WHERE error IS NOT NULL "
                "UNION ALL SELECT 'pg_hba', error FROM pg_hba_file_rules "
                "WHERE error IS NOT NULL AND error NOT LIKE 'hostssl record cannot match%'"
            ).fetchall()
            assert told == []
            shown = session.execute("SELECT current_setting('jit'), current_setting('shared_buffers')").fetchone()
            assert (shown, session.info.server_version // 10_000) == (("off", "1GB"), programs.major)
    finally:
        if location:
            embedded.stop(location)
        remove_folder(home)


def test_a_bot_logs_over_a_verified_connection(site) -> None:
    code = """
import json, friren
friren.setup()
from decimal import Decimal
import datetime as dt
from django.db import connection
from friren.operations import health
from trading_engine.services import TradeLogger
book = friren.open_account("encrypted", starting_cash=Decimal(1000))
noon = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
told = dict(symbol="AAPL", action="buy", quantity=1, price=Decimal("1.5"), timestamp=noon)
with TradeLogger(account=book) as direct, TradeLogger(account=book, mode="journal") as journal:
    outcomes = [direct.log_trade(**told).outcome.value, journal.log_trade(**told).outcome.value]
    outcomes.append(direct.flush(timeout=60) and journal.flush(timeout=60))
    with connection.cursor() as cursor:
        # Every session of the loggers, the drain and of this one.
        cursor.execute("SELECT count(*), bool_and(ssl), min(version) FROM pg_stat_ssl JOIN pg_stat_activity "
                       "USING (pid) WHERE usename = 'friren_app_writer'")
        print(json.dumps([outcomes, *cursor.fetchone(), health.examine(["connectivity", "tables"]).ok]))
"""
    settings = {"SECRET_KEY": "x", "FRIREN_WRITE_DEADLINE": "30", "DB_CONNECT_TIMEOUT": "30"}
    bot = python(code, home=site.folder, DATABASE_URL=site.url("app_writer"), **settings)
    out, err = bot.communicate(timeout=120)

    assert bot.returncode == 0, err
    outcomes, sessions, encrypted, version, well = json.loads(out)
    assert outcomes == ["STORED", "JOURNALED", True]
    assert (encrypted, version, well) == (True, "TLSv1.3", True)
    assert sessions >= 2


def test_a_backup_is_dumped_and_proven_over_it(site) -> None:
    made = site.run("backup", "backup", "--kind", "daily", "--json")
    assert made.returncode == 0, made.stderr
    with psycopg.connect(site.admin(), autocommit=True) as session:
        assert session.execute("SELECT status FROM operations_backuprecord").fetchall() == [("COMPLETED",)]


def test_the_eight_questions_are_answered_well(site) -> None:
    role = "app_writer"
    done = site.run(role, "setup_database", "--verify", "--json")
    steps = {step["step"]: step for step in json.loads(done.stdout)["steps"]}

    assert [step["outcome"] for step in steps.values()] == ["PASS"] * 8, done.stdout
    assert steps["login"]["detail"] == f"friren_{role}, encrypted"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"mode": "disable"}, "pg_hba.conf rejects connection"),
        ({"host": "127.0.0.1"}, 'does not match host name "127.0.0.1"'),
        ({"ca": "other/ca.crt"}, "certificate verify failed"),
        ({"ca": "nowhere.crt"}, "root certificate file"),
    ],
)
def test_what_is_not_encrypted_or_not_our_server_is_no_connection(site, changes, why) -> None:
    with pytest.raises(psycopg.OperationalError, match=why):
        psycopg.connect(site.url("app_ro", **changes))


def test_a_role_comes_into_its_own_database_only(site) -> None:
    with pytest.raises(psycopg.OperationalError, match=r"pg_hba\.conf rejects connection"):
        psycopg.connect(site.url("app_ro").replace("/trading_system", "/postgres"))


def test_the_wrong_certificate_is_one_plain_line_of_a_command(site) -> None:
    done = site.run("monitor", "setup_database", "--verify", DATABASE_URL=site.url("monitor", ca="other/ca.crt"))

    assert done.returncode == 1
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("FAIL")]
    assert "login" in line
    assert "certificate verify failed" in line
    assert "Traceback" not in done.stderr

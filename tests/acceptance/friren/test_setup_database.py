"""`setup_database` on a server: from an empty cluster to a database that is ready, twice, and the ways it fails."""

from __future__ import annotations

import json

import pytest

PASSWORD = "open sesame/@:%"
ENCODED = "open%20sesame%2F%40%3A%25"


@pytest.fixture
def cluster(server):
    """A server that asks everyone but its superuser for a password."""
    access = server.location.data / "pg_hba.conf"
    access.write_text("local all friren trust\nlocal all all scram-sha-256\n")
    with server.connect() as connection:
        connection.execute("SELECT pg_reload_conf()")
    return server


def outcomes(done) -> dict[str, str]:
    assert done.returncode == 0, done.stderr
    return {step["step"]: step["outcome"] for step in json.loads(done.stdout)["steps"]}


def bot(cluster, name: str = "trading_system", password: str = ENCODED) -> dict[str, str]:
    return {"DATABASE_URL": cluster.url(name, user="trading_user", password=password)}


def one_error(done) -> str:
    assert (done.returncode, done.stdout) == (1, ""), done
    (line,) = done.stderr.splitlines()
    return line


def test_makes_what_is_missing_and_finds_it_the_second_time(cluster) -> None:
    admin = {"DB_ADMIN_URL": cluster.url("postgres")}
    first = cluster.manage("setup_database", "--json", **bot(cluster), **admin)
    second = cluster.manage("setup_database", "--json", **bot(cluster))
    verified = cluster.manage("setup_database", "--verify", **bot(cluster))

    assert outcomes(first) == {"role": "done", "database": "done", "migrations": "done", "seeds": "unchanged"}
    assert set(outcomes(second).values()) == {"unchanged"}
    assert [line.split()[0] for line in verified.stdout.splitlines()] == ["PASS"] * 8
    with cluster.connect("trading_system") as connection:
        entries = connection.execute(
            "SELECT after, db_user FROM core_auditlog WHERE source = 'setup_database'"
        ).fetchall()
        assert [(sorted(after), user) for after, user in entries] == [
            (["database", "migrations", "role"], "trading_user")
        ]
    with cluster.connect("postgres") as connection:
        stored = connection.execute("SELECT rolpassword FROM pg_authid WHERE rolname = 'trading_user'").fetchone()[0]
        assert stored.startswith("SCRAM-SHA-256$")
    assert PASSWORD not in cluster.location.log.read_text()
    assert cluster.manage("health", "--json", **bot(cluster)).returncode == 0


def test_puts_back_a_lost_seed(cluster) -> None:
    cluster.manage("setup_database")
    with cluster.connect() as connection:
        connection.execute("DELETE FROM core_systemmetadata WHERE key = 'schema_version'")

    assert outcomes(cluster.manage("setup_database", "--json"))["seeds"] == "done"
    with cluster.connect() as connection:
        assert connection.execute("SELECT count(*) FROM core_systemmetadata").fetchone() == (5,)


def test_verify_tells_what_is_missing_and_changes_nothing(cluster) -> None:
    done = cluster.manage("setup_database", "--verify", "--json")

    assert done.returncode == 1
    steps = {step["step"]: step["outcome"] for step in json.loads(done.stdout)["steps"]}
    assert steps == {
        "packages": "PASS", "server": "PASS", "login": "PASS", "database": "PASS", "programs": "PASS", "rights": "FAIL",
        "tables": "FAIL", "python": "PASS",
    }  # fmt: skip
    with cluster.connect() as connection:
        assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)


def verdicts(done) -> dict[str, str]:
    """The lines of `--verify` that say FAIL, by question."""
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    lines = [line.split(maxsplit=2) for line in done.stdout.splitlines()]
    return {question: told for outcome, question, told in lines if outcome == "FAIL"}


def test_a_server_that_is_away_a_wrong_password_and_no_database_are_told_apart(cluster) -> None:
    with cluster.connect() as connection:
        connection.execute(f"CREATE ROLE trading_user LOGIN PASSWORD '{PASSWORD}'")
    no_database = verdicts(cluster.manage("setup_database", "--verify", **bot(cluster)))
    no_login = verdicts(cluster.manage("setup_database", "--verify", **bot(cluster, password="wrong")))
    cluster.stop()
    no_server = verdicts(cluster.manage("setup_database", "--verify", **bot(cluster)))

    assert list(no_database) == ["database"]
    assert "`manage.py setup_database` makes the database trading_system" in no_database["database"]
    assert list(no_login) == ["login"]
    assert "check role and the password in DATABASE_URL" in no_login["login"]
    assert list(no_server) == ["server"]
    assert "is it running" in no_server["server"]


def test_roles_are_made_for_a_database_that_one_role_owned(cluster) -> None:
    admin = {"DB_ADMIN_URL": cluster.url("postgres")}
    assert cluster.manage("setup_database", **bot(cluster), **admin).returncode == 0
    passwords = cluster.home / "passwords"
    passwords.write_text(f"acme_app_writer={PASSWORD}\n")
    passwords.chmod(0o600)
    url = cluster.url("trading_system", user="acme_migrator", password=ENCODED)
    told = {"DATABASE_URL": url, "DB_ROLE_PASSWORDS_FILE": str(passwords)}

    first = cluster.manage("setup_database", "--roles", "acme", "--json", **told, **admin)
    done = outcomes(first)

    assert {done[f"acme_{role}"] for role in ("owner", "migrator", "app_writer", "app_ro")} == {"done"}
    assert (done["database"], done["migrations"], done["rights"]) == ("unchanged", "unchanged", "done")
    details = {step["step"]: step["detail"] for step in json.loads(first.stdout)["steps"]}
    assert "cannot sign in before it has a password" in details["acme_app_ro"]
    with cluster.connect("trading_system") as connection:
        owners = connection.execute(
            "SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace = 'public'::regnamespace "
            "UNION SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'trading_system'"
        ).fetchall()
        assert owners == [("acme_owner",)]
    writer = {"DATABASE_URL": cluster.url("trading_system", user="acme_app_writer", password=ENCODED)}
    verified = cluster.manage("setup_database", "--verify", **writer)
    assert [line.split()[0] for line in verified.stdout.splitlines()] == ["PASS"] * 8, verified.stdout
    assert PASSWORD not in first.stdout + first.stderr + cluster.location.log.read_text()
    assert "acme_app_writer may not make tables here" in one_error(migrated_anew(cluster, writer))


def migrated_anew(cluster, writer: dict[str, str]):
    """What a bot is told that should migrate."""
    with cluster.connect("trading_system") as connection:
        connection.execute("DELETE FROM django_migrations WHERE app = 'sessions'")
    return cluster.manage("setup_database", **writer)


def test_dry_run_prints_the_statements_without_the_password(cluster) -> None:
    done = cluster.manage("setup_database", "--dry-run", **bot(cluster))

    assert done.returncode == 0
    assert """CREATE ROLE "trading_user" LOGIN PASSWORD '***';""" in done.stdout
    assert 'CREATE DATABASE "trading_system" OWNER "trading_user" ENCODING \'UTF8\'' in done.stdout
    assert "sesame" not in done.stdout + done.stderr
    with cluster.connect("postgres") as connection:
        assert connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'trading_user'").fetchone() is None


def test_a_wrong_password_is_one_plain_line(cluster) -> None:
    with cluster.connect() as connection:
        connection.execute("CREATE ROLE trading_user LOGIN PASSWORD 'another'")
        connection.execute("CREATE DATABASE trading_system OWNER trading_user")

    for command in ("setup_database", "migrate"):
        line = one_error(cluster.manage(command, **bot(cluster)))
        assert 'password authentication failed for user "trading_user"' in line
        assert "sesame" not in line


def test_a_missing_right_is_one_plain_line(cluster) -> None:
    with cluster.connect() as connection:
        connection.execute(f"CREATE ROLE trading_user LOGIN PASSWORD '{PASSWORD}'")

    line = one_error(cluster.manage("setup_database", **bot(cluster)))

    assert "permission denied to create database" in line
    assert "DB_ADMIN_URL" in line


def test_a_missing_server_is_one_plain_line(cluster) -> None:
    cluster.stop()

    line = one_error(cluster.manage("setup_database", **bot(cluster)))

    assert "No such file or directory" in line


@pytest.mark.parametrize("url", ["not a url", "postgresql://root:hunter2@/postgres?host=/nowhere"])
def test_a_bad_administrator_is_one_plain_line(cluster, url) -> None:
    line = one_error(cluster.manage("setup_database", DB_ADMIN_URL=url, **bot(cluster)))

    assert line.startswith("error: DB_ADMIN_URL")
    assert "hunter2" not in line


def test_the_embedded_database_too(home) -> None:
    from tests.servers import manage

    first, second = (manage("setup_database", "--json", home=home) for _ in range(2))

    assert outcomes(first) == {"server": "done", "migrations": "done", "seeds": "unchanged"}
    assert set(outcomes(second).values()) == {"unchanged"}
    assert outcomes(manage("setup_database", "--verify", "--json", home=home))["tables"] == "PASS"
    assert outcomes(manage("setup_database", "--dry-run", "--json", home=home))["server"] == "planned"

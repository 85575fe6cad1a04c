"""Environment → DATABASES, as a table."""

from __future__ import annotations

import builtins
import socket

import pytest

from friren.database_config import EMBEDDED_ENGINE, SERVER_ENGINE, get_database_config, hosts, is_loopback
from friren.errors import ConfigurationError

SECRET = "s3cr:t/@?#%"
ENCODED = "s3cr%3At%2F%40%3F%23%25"


def configure(**values: str) -> dict:
    return get_database_config(values)["default"]


class TestWhere:
    @pytest.mark.parametrize(
        ("url", "expected"),
        [
            ("postgresql://u:p@db.example:6432/trades", ("db.example", "6432", "trades", "u", "p")),
            ("postgres://u:p@localhost/trades", ("localhost", "", "trades", "u", "p")),
            ("postgresql+asyncpg://u:p@localhost:5432/ai_trader", ("localhost", "5432", "ai_trader", "u", "p")),
            ("postgresql+psycopg://u@localhost/t", ("localhost", "", "t", "u", "")),
            (f"postgresql://u:{ENCODED}@localhost/t", ("localhost", "", "t", "u", SECRET)),
            ("postgresql://u%40corp:p@localhost/t", ("localhost", "", "t", "u@corp", "p")),
            ("postgresql://[::1]:5433/t", ("::1", "5433", "t", "", "")),
            ("postgresql:///t?host=/var/run/postgresql", ("/var/run/postgresql", "", "t", "", "")),
            ("postgresql://u@%2Fvar%2Frun%2Fpostgresql/t", ("/var/run/postgresql", "", "t", "u", "")),
            ("postgres:////var/run/postgresql/t", ("/var/run/postgresql", "", "t", "", "")),
            ("postgres:////with space/t?user=u", ("/with space", "", "t", "u", "")),
            ("postgresql://u:p@one:5432,two:5433/t", ("one,two", "5432,5433", "t", "u", "p")),
        ],
    )
    def test_reads_a_url(self, url, expected) -> None:
        config = configure(DATABASE_URL=url)

        assert (config["HOST"], config["PORT"], config["NAME"], config["USER"], config["PASSWORD"]) == expected
        assert config["ENGINE"] == SERVER_ENGINE

    @pytest.mark.parametrize("prefix", ["DB", "POSTGRES"])
    def test_reads_the_parts_under_either_name(self, prefix) -> None:
        name = "NAME" if prefix == "DB" else "DB"
        parts = {f"{prefix}_HOST": "localhost", f"{prefix}_{name}": "t", f"{prefix}_USER": "u"}
        config = configure(**parts, **{f"{prefix}_PASSWORD": SECRET, f"{prefix}_PORT": "5444"})

        assert (config["HOST"], config["PORT"], config["NAME"]) == ("localhost", "5444", "t")
        assert (config["USER"], config["PASSWORD"]) == ("u", SECRET)

    def test_prefers_the_url_to_the_parts(self) -> None:
        assert configure(DATABASE_URL="postgresql://localhost/url", DB_NAME="parts")["NAME"] == "url"

    @pytest.mark.parametrize("values", [{}, {"DATABASE_URL": ""}, {"DB_HOST": "", "DB_PASSWORD": ""}])
    def test_falls_back_to_the_embedded_database(self, values) -> None:
        config = get_database_config(values, embedded_host="/sockets")["default"]

        assert (config["ENGINE"], config["HOST"], config["NAME"]) == (EMBEDDED_ENGINE, "/sockets", "friren")
        assert "sslmode" not in config["OPTIONS"]

    def test_keeps_the_options_of_the_url(self) -> None:
        url = "postgresql://u:p@db.example/t?sslmode=verify-full&sslrootcert=/ca.pem&application_name=bot&options=-c%20jit%3Doff"
        options = configure(DATABASE_URL=url, DB_SSLMODE="require")["OPTIONS"]

        assert (options["sslmode"], options["sslrootcert"]) == ("verify-full", "/ca.pem")
        assert options["application_name"] == "bot"
        assert options["options"].endswith("-c idle_in_transaction_session_timeout=10000 -c jit=off")

    def test_understands_the_ssl_of_asyncpg(self) -> None:
        assert configure(DATABASE_URL="postgresql+asyncpg://u:p@h/t?ssl=require")["OPTIONS"]["sslmode"] == "require"


class TestHow:
    def test_bounds_everything_by_default(self) -> None:
        config = configure(DATABASE_URL="postgresql://localhost/t")

        assert config["CONN_MAX_AGE"] == 0
        assert config["CONN_HEALTH_CHECKS"] is True
        assert config["OPTIONS"] == {
            "connect_timeout": 2,
            "application_name": "friren",
            "options": "-c statement_timeout=5000 -c lock_timeout=1000 -c idle_in_transaction_session_timeout=10000",
            "prepare_threshold": 0,
            "pool": {
                "min_size": 1,
                "max_size": 30,
                "timeout": 2,
                "max_waiting": 100,
                "max_idle": 300,
                "max_lifetime": 1800,
                "reconnect_timeout": 2,
            },
            "sslmode": "prefer",
            "keepalives": 1,
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "tcp_user_timeout": 5000,
        }

    def test_takes_every_size_and_timeout_from_the_environment(self) -> None:
        config = configure(
            DATABASE_URL="postgresql://localhost/t",
            DB_POOL_MIN_SIZE="10",
            DB_POOL_MAX_SIZE="30",
            DB_POOL_TIMEOUT="0.5",
            DB_POOL_MAX_WAITING="7",
            DB_POOL_MAX_IDLE="8",
            DB_POOL_MAX_LIFETIME="9",
            DB_POOL_RECONNECT_TIMEOUT="3",
            DB_CONNECT_TIMEOUT="4",
            DB_STATEMENT_TIMEOUT="0.25",
            DB_LOCK_TIMEOUT="0",
            DB_IDLE_IN_TRANSACTION_TIMEOUT="60",
            DB_APPLICATION_NAME="bot",
            DB_PREPARED_STATEMENTS="off",
            DB_CONN_HEALTH_CHECKS="no",
        )

        assert tuple(config["OPTIONS"]["pool"].values()) == (10, 30, 0.5, 7, 8, 9, 3)
        assert config["OPTIONS"]["connect_timeout"] == 4
        assert (
            "statement_timeout=250 -c lock_timeout=0 -c idle_in_transaction_session_timeout=60000"
            in (config["OPTIONS"]["options"])
        )
        assert config["OPTIONS"]["application_name"] == "bot"
        assert config["OPTIONS"]["prepare_threshold"] is None
        assert config["CONN_HEALTH_CHECKS"] is False

    def test_keeps_connections_itself_only_without_a_pool(self) -> None:
        config = configure(DATABASE_URL="postgresql://localhost/t", DB_POOL_ENABLED="false")

        assert config["CONN_MAX_AGE"] == 60
        assert "pool" not in config["OPTIONS"]

    @pytest.mark.parametrize(
        ("host", "mode"),
        [("localhost", "prefer"), ("127.0.0.1", "prefer"), ("db.example", "verify-full"), ("one,two", "verify-full")],
    )
    def test_verifies_a_server_that_is_not_on_this_machine(self, host, mode) -> None:
        assert configure(DATABASE_URL=f"postgresql://u:p@{host}/t")["OPTIONS"]["sslmode"] == mode


class TestRefuses:
    @pytest.mark.parametrize(
        ("values", "variable"),
        [
            ({"DATABASE_URL": "mysql://u:p@localhost/t"}, "DATABASE_URL"),
            ({"DATABASE_URL": "localhost"}, "DATABASE_URL"),
            ({"DATABASE_URL": "postgresql://u:p@localhost"}, "DATABASE_URL"),
            ({"DATABASE_URL": "postgresql://u:p@localhost:port/t"}, "DATABASE_URL"),
            ({"DATABASE_URL": "postgresql://u:p@localhost:70000/t"}, "DATABASE_URL"),
            ({"DATABASE_URL": "postgresql://u:p@localhost/t?pool=1"}, "DATABASE_URL"),
            ({"DATABASE_URL": "postgresql://u:p@localhost/t?sslmode=perhaps"}, "DATABASE_URL"),
            ({"DATABASE_URL": "postgresql://u:p@localhost/t?connect_timeout=soon"}, "DATABASE_URL"),
            ({"DATABASE_URL": "postgresql://u:%GG@localhost/t"}, "DATABASE_URL"),
            ({"DB_HOST": "localhost", "DB_USER": "u", "DB_PASSWORD": "p"}, "DB_NAME"),
            ({"DB_HOST": "localhost", "DB_NAME": "t", "DB_PASSWORD": "p"}, "DB_USER"),
            ({"DB_HOST": "localhost", "DB_NAME": "t", "DB_USER": "u"}, "DB_PASSWORD"),
            ({"DB_NAME": "t", "DB_USER": "u", "DB_PASSWORD": "p", "DB_PORT": "5432x"}, "DB_PORT"),
            (
                {"POSTGRES_DB": "t", "POSTGRES_USER": "u", "POSTGRES_PASSWORD": "p", "POSTGRES_PORT": "0"},
                "POSTGRES_PORT",
            ),
            ({"DB_POOL_MIN_SIZE": "-1"}, "DB_POOL_MIN_SIZE"),
            ({"DB_POOL_MAX_SIZE": "1_0"}, "DB_POOL_MAX_SIZE"),
            ({"DB_POOL_MAX_SIZE": "１"}, "DB_POOL_MAX_SIZE"),
            ({"DB_POOL_MIN_SIZE": "9", "DB_POOL_MAX_SIZE": "3"}, "DB_POOL_MIN_SIZE"),
            ({"DB_POOL_TIMEOUT": "soon"}, "DB_POOL_TIMEOUT"),
            ({"DB_POOL_TIMEOUT": "nan"}, "DB_POOL_TIMEOUT"),
            ({"DB_POOL_TIMEOUT": "0"}, "DB_POOL_TIMEOUT"),
            ({"DB_POOL_ENABLED": "maybe"}, "DB_POOL_ENABLED"),
            ({"DB_STATEMENT_TIMEOUT": "-5"}, "DB_STATEMENT_TIMEOUT"),
            ({"DATABASE_URL": "postgresql://localhost/t", "DB_SSLMODE": "on"}, "DB_SSLMODE"),
        ],
    )
    def test_names_the_variable(self, values, variable) -> None:
        with pytest.raises(ConfigurationError, match=f"^{variable}"):
            get_database_config(values)

    @pytest.mark.parametrize(
        "url",
        [
            f"mysql://u:{SECRET}@localhost/t",
            f"postgresql://u:{ENCODED}@localhost:port/t",
            f"postgresql://u:{ENCODED}@localhost/t?nonsense=1",
            f"postgresql://u:{ENCODED}@localhost/",
            f"u:{SECRET}@localhost/t",
        ],
    )
    def test_never_shows_a_password(self, url) -> None:
        with pytest.raises(ConfigurationError) as caught:
            get_database_config({"DATABASE_URL": url})

        assert "s3cr" not in str(caught.value)
        assert caught.value.__cause__ is None


class TestPurity:
    VALUES = {"DATABASE_URL": "postgresql://u:p@db.example/t", "DB_POOL_MAX_SIZE": "5"}

    @pytest.mark.parametrize("values", [{}, VALUES])
    def test_gives_equal_results_on_windows_and_linux(self, values) -> None:
        assert get_database_config(values, "win32") == get_database_config(values, "linux")

    def test_opens_no_file_and_no_socket(self, monkeypatch) -> None:
        def refuse(*_args, **_kwargs) -> None:
            raise AssertionError("I/O")

        monkeypatch.setattr(builtins, "open", refuse)
        monkeypatch.setattr(socket, "socket", refuse)
        monkeypatch.setattr(socket, "getaddrinfo", refuse)

        assert get_database_config(self.VALUES)["default"]["HOST"] == "db.example"

    def test_reads_nothing_but_its_argument(self, monkeypatch) -> None:
        monkeypatch.setenv("PGHOST", "elsewhere")
        monkeypatch.setenv("DB_POOL_MAX_SIZE", "nonsense")

        assert configure(DATABASE_URL="postgresql:///t")["HOST"] == ""


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("", True),
        ("localhost", True),
        ("LOCALHOST", True),
        ("127.0.0.1", True),
        ("::1", True),
        ("/run/postgresql", True),
        ("C:\\sockets", True),
        ("db.example", False),
        ("localhost.example", False),
        ("10.0.0.1", False),
    ],
)
def test_knows_what_stays_on_this_machine(host, expected) -> None:
    assert is_loopback(host) is expected


def test_knows_every_host() -> None:
    assert hosts({"HOST": "one,two"}) == ["one", "two"]

"""
Environment → `DATABASES`: a pure function, so that every deployment can be tested as a table.

    DATABASE_URL           postgresql://user:password@host:5432/name?sslmode=verify-full
    DB_HOST, DB_NAME, …    the same in parts (POSTGRES_* are aliases)
    neither                the embedded PostgreSQL

Every bound has its reason beside it; `.env.example` documents every variable.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, unquote

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from friren.environment import Environment
from friren.errors import ConfigurationError, shown

__all__ = ["EMBEDDED_ENGINE", "SERVER_ENGINE", "get_database_config", "hosts", "is_loopback"]

SERVER_ENGINE: Final = "django.db.backends.postgresql"
EMBEDDED_ENGINE: Final = "friren.embedded.backend"
EMBEDDED_NAME: Final = "friren"

SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
LOOPBACK: Final = frozenset({"", "localhost", "127.0.0.1", "::1"})
# django-environ writes a socket directory as postgres:////run/postgresql/name.
_SOCKET_URL: Final = re.compile(r"postgresql:///(?P<host>/[^?]*)/(?P<name>[^/?]+)(\?(?P<query>.*))?")
_URL_RULE: Final = "write postgresql://user:password@host:5432/name, special characters percent-encoded"


def get_database_config(
    values: Mapping[str, str], platform: str = sys.platform, *, embedded_host: str = ""
) -> dict[str, dict[str, Any]]:
    """
    Return Django's `DATABASES` for an environment. Reads nothing else and opens nothing.

    Args:
        values: environment variables by name.
        platform: `sys.platform` of the machine; equal environments give equal results on all of them.
        embedded_host: socket directory of the embedded server, used when no server is configured.

    Raises:
        ConfigurationError: a value is wrong; the message names the variable and never shows a password.
    """
    del platform  # a difference between platforms would be a bug: the promise is kept by a test
    env = Environment(values)
    server = _server(env)
    embedded = server is None
    where = server if server is not None else _embedded(embedded_host)
    extra = where.get("OPTIONS", {})
    config: dict[str, Any] = {
        "ENGINE": EMBEDDED_ENGINE if embedded else SERVER_ENGINE,
        "NAME": where["NAME"],
        "USER": where.get("USER", ""),
        "PASSWORD": where.get("PASSWORD", ""),
        "HOST": where.get("HOST", ""),
        "PORT": where.get("PORT", ""),
        "CONN_HEALTH_CHECKS": env.flag("DB_CONN_HEALTH_CHECKS", default=True),
        "OPTIONS": _options(env, extra),
    }
    if env.flag("DB_POOL_ENABLED", default=True):
        config["CONN_MAX_AGE"] = 0  # Django refuses a pool together with connections of its own keeping
        config["OPTIONS"]["pool"] = _pool(env)
    else:
        config["CONN_MAX_AGE"] = env.integer("DB_CONN_MAX_AGE", default=60)
    if not embedded:
        config["OPTIONS"] |= _transport(env, extra, config["HOST"])
    return {"default": config}


def hosts(config: Mapping[str, Any]) -> list[str]:
    """Return the hosts of one database; libpq takes several, separated by commas."""
    return str(config.get("HOST") or "").split(",")


def is_loopback(host: str) -> bool:
    """Return whether a connection to `host` stays on this machine: loopback or a socket directory."""
    return host.lower() in LOOPBACK or host.startswith(("/", "@")) or host[1:3] in {":\\", ":/"}


def _embedded(host: str) -> dict[str, Any]:
    return {"NAME": EMBEDDED_NAME, "USER": EMBEDDED_NAME, "HOST": host}


def _server(env: Environment) -> dict[str, Any] | None:
    if url := env.text("DATABASE_URL"):
        return _from_url(url)
    parts = {
        "HOST": env.text("DB_HOST", "POSTGRES_HOST"),
        "NAME": env.text("DB_NAME", "POSTGRES_DB"),
        "USER": env.text("DB_USER", "POSTGRES_USER"),
        "PASSWORD": env.text("DB_PASSWORD", "POSTGRES_PASSWORD"),
    }
    if not any(parts.values()):
        return None
    port = env.integer("DB_PORT", "POSTGRES_PORT", default=5432, minimum=1, maximum=65_535)
    parts["HOST"] = parts["HOST"] or "localhost"
    for part, name in (("NAME", "DB_NAME"), ("USER", "DB_USER")):
        if not parts[part]:
            raise ConfigurationError(f"{name} is missing: a server is configured by DB_*, so it is needed")
    if not parts["PASSWORD"] and not parts["HOST"].startswith("/"):
        raise ConfigurationError("DB_PASSWORD is missing: the server at DB_HOST will ask for it")
    return {**parts, "PORT": str(port)}


def _from_url(url: str) -> dict[str, Any]:
    scheme, separator, rest = url.strip().partition("://")
    if not separator or scheme.partition("+")[0] not in {"postgresql", "postgres", "pgsql"}:
        raise ConfigurationError(f"DATABASE_URL is not the address of a PostgreSQL server: {_URL_RULE}")
    text = f"postgresql://{rest}"
    if match := _SOCKET_URL.fullmatch(text):
        query = f"&{match['query']}" if match["query"] else ""
        text = f"postgresql:///{match['name']}?host={quote(unquote(match['host']))}{query}"
    # asyncpg writes ssl= where libpq writes sslmode=.
    text = re.sub(r"([?&])ssl=", r"\1sslmode=", text)
    try:
        parts = conninfo_to_dict(text)
    except (ProgrammingError, UnicodeError):
        # libpq's own message may quote the URL, and with it the password.
        raise ConfigurationError(f"DATABASE_URL cannot be read: {_URL_RULE}") from None
    if not parts.get("dbname"):
        raise ConfigurationError(f"DATABASE_URL names no database: {_URL_RULE}")
    port = str(parts.pop("port", ""))
    if not all(re.fullmatch("[0-9]{1,5}", item) and 0 < int(item) < 65_536 for item in port.split(",") if item):
        raise ConfigurationError("DATABASE_URL has a port that is not a number from 1 to 65535")
    return {
        "NAME": str(parts.pop("dbname")),
        "USER": str(parts.pop("user", "") or ""),
        "PASSWORD": str(parts.pop("password", "") or ""),
        "HOST": unquote(str(parts.pop("host", "") or "")),
        "PORT": port,
        "OPTIONS": parts,
    }


def _options(env: Environment, extra: Mapping[str, Any]) -> dict[str, Any]:
    statement = env.seconds("DB_STATEMENT_TIMEOUT", default=5)  # a write that takes longer has found a sick server
    lock = env.seconds("DB_LOCK_TIMEOUT", default=1)  # well under the statement timeout, so that the cause is named
    idle = env.seconds("DB_IDLE_IN_TRANSACTION_TIMEOUT", default=10)  # a stopped debugger must not hold locks
    limits = (
        f"-c statement_timeout={statement * 1000:.0f} -c lock_timeout={lock * 1000:.0f} "
        f"-c idle_in_transaction_session_timeout={idle * 1000:.0f}"
    )
    return {
        **extra,
        "connect_timeout": _connect_timeout(env, extra),
        "application_name": extra.get("application_name") or env.text("DB_APPLICATION_NAME", default="friren"),
        "options": f"{limits} {extra.get('options') or ''}".strip(),
        # Server-side cursors of ours are prepared at their first execution (1.06 × a raw insert instead of 1.5 ×);
        # the ORM binds on the client and never prepares. Off behind a pooler in transaction mode.
        "prepare_threshold": 0 if env.flag("DB_PREPARED_STATEMENTS", default=True) else None,
    }


def _connect_timeout(env: Environment, extra: Mapping[str, Any]) -> int:
    text = str(extra.get("connect_timeout") or "")
    if text and not text.isdecimal():
        raise ConfigurationError(f"DATABASE_URL has connect_timeout={shown(text)}: write whole seconds")
    # libpq takes whole seconds and reads 1 as 2; a black-holed host is given up after this long.
    return int(text) if text else env.integer("DB_CONNECT_TIMEOUT", default=2, minimum=1, maximum=300)


def _pool(env: Environment) -> dict[str, Any]:
    smallest = env.integer("DB_POOL_MIN_SIZE", default=1, maximum=1000)  # every command opens this many backends
    largest = env.integer("DB_POOL_MAX_SIZE", default=30, minimum=1, maximum=1000)
    if smallest > largest:
        raise ConfigurationError(f"DB_POOL_MIN_SIZE={smallest}: it may not exceed DB_POOL_MAX_SIZE={largest}")
    return {
        "min_size": smallest,
        "max_size": largest,
        "timeout": env.seconds("DB_POOL_TIMEOUT", default=2, minimum=0.01),
        # Beyond this the callers would time out anyway: refuse them at once.
        "max_waiting": env.integer("DB_POOL_MAX_WAITING", default=100, minimum=1, maximum=100_000),
        "max_idle": env.seconds("DB_POOL_MAX_IDLE", default=300, minimum=1),
        "max_lifetime": env.seconds("DB_POOL_MAX_LIFETIME", default=1800, minimum=1),
        # The pool's own back-off doubles for as long as this: 2 s keeps the way back short after an outage.
        "reconnect_timeout": env.seconds("DB_POOL_RECONNECT_TIMEOUT", default=2, maximum=300),
    }


def _transport(env: Environment, extra: Mapping[str, Any], host: str) -> dict[str, Any]:
    loopback = all(map(is_loopback, host.split(",")))
    mode = extra.get("sslmode") or env.choice(
        "DB_SSLMODE", choices=SSL_MODES, default="prefer" if loopback else "verify-full"
    )
    if mode not in SSL_MODES:
        raise ConfigurationError(f"DATABASE_URL has sslmode={shown(mode)}: write one of {', '.join(SSL_MODES)}")
    root = extra.get("sslrootcert") or env.text("DB_SSLROOTCERT")
    return {
        "sslmode": mode,
        **({"sslrootcert": root} if root else {}),
        # A silent peer is noticed after 5 + 3 × 2 = 11 s, unacknowledged data after 5 s.
        "keepalives": 1,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 5000,
    }

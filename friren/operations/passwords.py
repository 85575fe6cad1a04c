"""Passwords of roles: from a file or typed, never an argument, never printed, hashed before they leave this process."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql

from friren.environment import Environment
from friren.errors import ConfigurationError

__all__ = ["ask", "hashed", "read_file"]

_OTHERS: Final = 0o077
_TOLD: Final = "write one line for each role: its name, `=`, its password"


def read_file(names: Collection[str]) -> dict[str, str]:
    """
    Return the passwords in the file DB_ROLE_PASSWORDS_FILE, by role; none where it is not set.

    Args:
        names: the roles there are.

    Raises:
        ConfigurationError: the file cannot be read, others can read it, or a line is none.
    """
    told = Environment(os.environ).text("DB_ROLE_PASSWORDS_FILE")
    if not told:
        return {}
    path = Path(told).expanduser()
    try:
        text = path.read_text(encoding="utf-8")
        open_to_others = sys.platform != "win32" and bool(path.stat().st_mode & _OTHERS)
    except (OSError, UnicodeError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else "is not UTF-8"
        raise ConfigurationError(f"DB_ROLE_PASSWORDS_FILE={path}: {why}") from exc
    if open_to_others:
        raise ConfigurationError(f"DB_ROLE_PASSWORDS_FILE={path}: others can read it: `chmod 600` it")
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, password = line.partition("=")
        if not equals or not password or name.strip() not in names:
            raise ConfigurationError(f"DB_ROLE_PASSWORDS_FILE={path}: line {number} names no role of ours: {_TOLD}")
        found[name.strip()] = password
    return found


def ask(names: Collection[str]) -> dict[str, str]:
    """Return what a person types for each role; nothing typed is no password."""
    typed: Mapping[str, str] = {name: getpass.getpass(f"Password of {name} (empty: none): ") for name in names}
    return {name: password for name, password in typed.items() if password}


def hashed(session: psycopg.Connection[Any], role: str, password: str) -> sql.Literal:
    """Return a password as SCRAM keeps it: a statement may end up in the server's log."""
    return sql.Literal(session.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode())

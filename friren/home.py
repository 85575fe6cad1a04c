"""Where Friren keeps its own files on this machine, and the secret key it makes for itself."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path
from typing import Final

import environ
import platformdirs

from friren.environment import Environment
from friren.errors import ConfigurationError

__all__ = ["checkout", "friren_home", "read_env_file", "secret_key"]

SECRET_KEY_LENGTH: Final = 64
_PACKAGE_PARENT: Final = Path(__file__).resolve().parent.parent


def checkout() -> Path | None:
    """Return the source checkout that Friren runs from, or None when it is installed as a wheel."""
    return _PACKAGE_PARENT if (_PACKAGE_PARENT / "manage.py").is_file() else None


def read_env_file() -> None:
    """
    Add the variables of `.env` to this process's environment; what is set already wins.

    The file is FRIREN_ENV_FILE, else `.env` beside manage.py in a checkout, else in the working directory.
    """
    configured = os.environ.get("FRIREN_ENV_FILE")
    path = Path(configured) if configured else (checkout() or Path.cwd()) / ".env"
    if path.exists():
        environ.Env.read_env(path)


def friren_home(env: Environment) -> Path:
    """Return FRIREN_HOME, absolute: by default `var/` in a checkout, else the platform's user data directory."""
    if configured := env.text("FRIREN_HOME"):
        return Path(configured).expanduser().absolute()
    root = checkout()
    return root / "var" if root else platformdirs.user_data_path("friren", appauthor=False)


def secret_key(env: Environment, home: Path, *, may_generate: bool) -> str:
    """
    Return Django's SECRET_KEY: from the environment, or made once and kept in `home` with mode 0600.

    Args:
        may_generate: whether the database is on this machine. With a server elsewhere several machines
            serve the same sessions, and each would make a key of its own.

    Raises:
        ConfigurationError: none is set and none may or can be made.
    """
    if configured := env.text("SECRET_KEY"):
        return configured
    if not may_generate:
        raise ConfigurationError("SECRET_KEY is missing: set it to 50 random characters, equal on every machine")
    path = home / "secret_key"
    try:
        if not path.exists():
            _write_once(path, secrets.token_urlsafe(SECRET_KEY_LENGTH))
        key = path.read_text(encoding="ascii").strip()
    except OSError as exc:
        raise ConfigurationError(f"SECRET_KEY is not set and {path} cannot be used: {exc.strerror}") from exc
    if not key:
        raise ConfigurationError(f"{path} is empty: remove it, or set SECRET_KEY")
    return key


def _write_once(path: Path, text: str) -> None:
    """Create `path` whole or not at all; of several processes the first one wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text)
        os.link(name, path)
    except FileExistsError:
        pass
    finally:
        Path(name).unlink()

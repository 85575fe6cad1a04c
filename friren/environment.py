"""Typed reading of environment variables: a bad value names its variable, never its secret."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

from friren.errors import ConfigurationError, shown

__all__ = ["Environment"]

_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off"})
# Plain ASCII only: int() also takes "1_000" and full-width digits, which nobody means in a setting.
_INTEGER: Final = re.compile(r"-?[0-9]{1,18}")
_SECONDS: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


class Environment:
    """
    A read-only view of environment variables.

    An empty variable counts as absent, because `.env` files and container tools write `NAME=` for "not set".
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def text(self, *names: str, default: str = "") -> str:
        """Return the first of `names` that is set (the others are its aliases), else `default`."""
        return next((value for name in names if (value := self._values.get(name, ""))), default)

    def flag(self, name: str, *, default: bool) -> bool:
        """Return a yes/no setting."""
        value = self.text(name).strip().lower()
        if value in _TRUE | _FALSE:
            return value in _TRUE
        if value:
            raise ConfigurationError(f"{name}={shown(value)}: write true or false")
        return default

    def integer(self, *names: str, default: int, minimum: int = 0, maximum: int = 10**9) -> int:
        """Return a whole number within its bounds."""
        value = self.text(*names).strip()
        if not value:
            return default
        if not _INTEGER.fullmatch(value) or not minimum <= int(value) <= maximum:
            raise ConfigurationError(
                f"{self._set_name(names)}={shown(value)}: write a whole number from {minimum} to {maximum}"
            )
        return int(value)

    def seconds(self, name: str, *, default: float, minimum: float = 0.0, maximum: float = 86_400.0) -> float:
        """Return a duration in seconds; fractions are allowed."""
        value = self.text(name).strip()
        if not value:
            return default
        if not _SECONDS.fullmatch(value) or not minimum <= float(value) <= maximum:
            raise ConfigurationError(f"{name}={shown(value)}: write seconds from {minimum:g} to {maximum:g}")
        return float(value)

    def choice(self, name: str, *, choices: Collection[str], default: str) -> str:
        """Return one of `choices`, compared without case."""
        value = self.text(name, default=default).strip().lower()
        if value not in choices:
            raise ConfigurationError(f"{name}={shown(value)}: write one of {', '.join(choices)}")
        return value

    def items(self, name: str, *, default: tuple[str, ...] = ()) -> list[str]:
        """Return a comma-separated list without its blanks."""
        value = self.text(name)
        return [item for part in value.split(",") if (item := part.strip())] if value else list(default)

    def _set_name(self, names: tuple[str, ...]) -> str:
        return next((name for name in names if self._values.get(name)), names[0])

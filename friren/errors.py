"""
Every error Friren raises on purpose, named by what the caller should do.

    FrirenError
    ├── RejectedRecordError       the data is wrong: correct it, never retry
    │   ├── KeyReusedError
    │   ├── InvalidTransitionError
    │   └── PeriodClosedError
    ├── ArchiveError              rows cannot be archived or brought back
    ├── BackupError               a backup cannot be made, trusted or restored
    ├── ConfigurationError        refuse to start
    ├── DatabaseUnavailableError  an administrative step could not be done: do it again later
    ├── StopTradingError          stop taking risk
    └── UpgradeError              an upgrade cannot begin, or went wrong: the message says in which state all is

The docstring of an error is its default message.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Self

__all__ = [
    "ArchiveError",
    "BackupError",
    "ConfigurationError",
    "DatabaseUnavailableError",
    "FrirenError",
    "InvalidTransitionError",
    "KeyReusedError",
    "PeriodClosedError",
    "RejectedRecordError",
    "StopTradingError",
    "UpgradeError",
]

# Long enough to recognise a value by, short enough for one log line.
VALUE_TEXT_MAX: Final = 120


def shown(value: object) -> str:
    """Return `value` as short, single-line text that is safe in a message."""
    try:
        text = repr(value)
    except Exception as exc:  # noqa: BLE001 - a foreign __repr__ may raise anything; the message must not
        text = f"<{type(value).__name__}, whose repr() raised {type(exc).__name__}>"
    # ascii() of the repr keeps lone surrogates and control characters out of logs and terminals.
    text = text.encode("unicode_escape").decode("ascii") if not text.isprintable() else text
    return text if len(text) <= VALUE_TEXT_MAX else f"{text[:VALUE_TEXT_MAX]}… ({len(text)} characters)"


class FrirenError(Exception):
    """Something went wrong in Friren."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or " ".join((self.__doc__ or "").split()))


class RejectedRecordError(FrirenError):
    """
    The data is wrong and nothing was stored. Correct it; the same call will fail again.

    Attributes:
        field: the parameter or column at fault, "" when it is the record as a whole.
        value: what was given.
        rule: what is asked of it, in words.
    """

    def __init__(self, field: str = "", value: Any = None, rule: str = "") -> None:
        self.field, self.value, self.rule = field, value, rule
        super().__init__(f"{field}={shown(value)}: {rule}" if field else rule or None)

    def __reduce__(self) -> tuple[type[Self], tuple[str, Any, str]]:
        # By default an exception is unpickled from its message; a worker's refusal must reach its parent whole.
        return type(self), (self.field, self.value, self.rule)

    def named(self, parameters: Mapping[str, str]) -> Self:
        """Return the same refusal with a column's name replaced by that of the caller's parameter."""
        return type(self)(parameters.get(self.field, self.field), self.value, self.rule)


class KeyReusedError(RejectedRecordError):
    """
    The same id (or venue and external id) is already stored with other content.

    Facts are added, not edited: correct a trade with `correct_trade`, or use a new id.
    """


class InvalidTransitionError(RejectedRecordError):
    """The row is in a state from which the state asked for cannot be reached."""


class PeriodClosedError(RejectedRecordError):
    """The account's books are closed for the time of this fact. Date it after the close, as a correction."""


class ArchiveError(FrirenError):
    """Rows cannot be archived or brought back; the message says which and why. Each row is where it was."""


class BackupError(FrirenError):
    """A backup cannot be made, trusted or restored; the message says which and why. Nothing was changed."""


class UpgradeError(FrirenError):
    """The database cannot be upgraded; the message says why, and in which state it is."""


class ConfigurationError(FrirenError):
    """Friren is not configured so that it can start; the message says which setting and where."""


class DatabaseUnavailableError(FrirenError):
    """The database cannot do this now. See `manage.py health`, then do it again: what was done is not done twice."""


class StopTradingError(FrirenError):
    """
    Nothing can be recorded any more: take no new risk.

    Attributes:
        fact: the fact that was refused.
    """

    def __init__(self, message: str | None = None, *, fact: object = None) -> None:
        self.fact = fact
        super().__init__(message)

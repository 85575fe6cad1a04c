"""
Kinds of record that a later one of the same key replaces, and what a telling of one is beside what is stored.

Their handlers store them; here they say beforehand what that will come to, so that an import can count it, and a dry
run too. Upper floors register theirs. What belongs to no account is made with None for one.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from friren.errors import RejectedRecordError
from friren.persistence.facts import Fact

__all__ = ["Finding", "Judge", "Maker", "Taken", "judge_of", "maker_of", "register_judge", "register_maker"]


class Taken(enum.Enum):
    """What a telling is, beside what is known."""

    NEW = enum.auto()
    CHANGED = enum.auto()
    KNOWN = enum.auto()


# What a telling comes to; or what of it is stored otherwise, for good: (stored, told) by name; or why it is none.
Finding = Taken | Mapping[str, tuple[Any, Any]] | RejectedRecordError
Judge = Callable[[Sequence[Fact], str], Sequence[Finding]]
Maker = Callable[[Any, dict[str, Any]], Fact]

_judges: dict[str, Judge] = {}
_makers: dict[str, Maker] = {}


def register_judge(kind: str, judge: Judge) -> None:
    """Let `judge(facts, using)` say of each record of `kind` what its handler will do with it."""
    _judges[kind] = judge


def judge_of(kind: str) -> Judge | None:
    """Return what judges records of `kind`; None for facts, which their digest judges."""
    return _judges.get(kind)


def register_maker(kind: str, make: Maker) -> None:
    """
    Let `make(account, keywords)` return the record of what a file tells as `kind`.

    It raises RejectedRecordError when a value breaks a rule.
    """
    _makers[kind] = make


def maker_of(kind: str) -> Maker:
    """
    Return what makes records of `kind` of what a file tells.

    Raises:
        KeyError: nothing does.
    """
    return _makers[kind]

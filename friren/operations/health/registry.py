"""The checks that are registered, and running them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import DatabaseError

from friren.errors import FrirenError
from friren.operations.connectivity import explain

__all__ = ["CONNECTIVITY", "Check", "Finding", "Report", "examine", "register", "registered"]

CONNECTIVITY: Final = "connectivity"


@dataclass(frozen=True, slots=True)
class Finding:
    """
    What one check found.

    Attributes:
        ok: whether all is well.
        message: one line for people.
        details: figures for `--json`.
    """

    ok: bool
    message: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """What all checks found, by name, with the seconds each took."""

    checks: Mapping[str, tuple[Finding, float]]

    @property
    def ok(self) -> bool:
        """Whether every check is."""
        return all(finding.ok for finding, _seconds in self.checks.values())


Check = Callable[[], Finding]


@dataclass(frozen=True, slots=True)
class _Registered:
    check: Check
    thorough: bool


_checks: dict[str, _Registered] = {}


def register(name: str, check: Check, *, thorough: bool = False) -> None:
    """
    Add a check under a name of its own, or replace it. It must not write, and should take seconds at most.

    Args:
        thorough: reads tables that grow, or says nothing of whether this server can serve; it is asked by people and
            schedules, not by every probe of a load balancer.
    """
    _checks[name] = _Registered(check, thorough)


def registered(*, thorough: bool = True) -> list[str]:
    """Return the names of the checks, connectivity first: without it the others are not asked."""
    names = [name for name, registered in _checks.items() if thorough or not registered.thorough]
    return sorted(names, key=lambda name: (name != CONNECTIVITY, name))


def examine(names: Iterable[str] | None = None) -> Report:
    """
    Run the checks (all, or those of `names`). A check that cannot be done is a failed one, never an exception.

    Raises:
        KeyError: a name is not registered.
    """
    results: dict[str, tuple[Finding, float]] = {}
    for name in registered() if names is None else names:
        results[name] = _examine_one(_checks[name].check)
        if name == CONNECTIVITY and not results[name][0].ok:
            break  # the others would only wait for the same error
    return Report(results)


def _examine_one(check: Check) -> tuple[Finding, float]:
    began = time.monotonic()
    try:
        finding = check()
    except (DatabaseError, FrirenError) as exc:
        finding = Finding(ok=False, message=explain(exc))
    return finding, round(time.monotonic() - began, 3)

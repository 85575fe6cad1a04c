"""How far a system has left its files behind: the phase that its flags are of, and what that phase rests on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from trading_engine.data.prescient.tables import STAGES, TABLES
from trading_engine.data.storage.mode import StorageMode
from trading_engine.data.storage.stored import reader_of
from trading_engine.services.clean_checks import Check, clean_in_a_row

__all__ = ["Phase", "PhaseState", "phases_of"]

# Of the source: a phase runs so long before the next one begins.
PHASE_DAYS_MIN: Final = 3
NAMES: Final = (
    "preparation: files alone are written",
    "trades and portfolio are written to both",
    "history is written to both",
    "signals are written to both",
    "markets are written to both",
    "the database is read, files are written and fallen back on",
    "the database alone is written, files are fallen back on",
    "the database alone",
)
READING, ALONE, LAST = 5, 6, 7


@dataclass(frozen=True, slots=True)
class PhaseState:
    """
    One phase.

    Attributes:
        state: done, current or ahead; unproven where a later one is current and nothing shows that this one is done.
        why: what that rests on.
    """

    phase: int
    name: str
    state: str
    why: str


@dataclass(frozen=True, slots=True)
class Phase:
    """
    Where a system stands.

    Attributes:
        phase: 0 to 7.
        ok: every phase before it is proven.
        warnings: what the flags contradict, and what goes too fast.
    """

    phase: int
    ok: bool
    phases: list[PhaseState]
    warnings: list[str]


def phases_of(
    mode: StorageMode, checks: Sequence[Check], *, has_files: bool, require: int = 1, now: dt.datetime
) -> Phase:
    """
    Return where a system stands, by its flags and by what comparing both sides found.

    A phase is done when the tables that it is about were the same on both sides in the last comparisons, `require` of
    them one after the other, and a later one is current.

    Args:
        has_files: there are files to leave behind; without any nothing has to be proven.
        require: clean comparisons that are wanted.
    """
    current = _current(mode)
    stated = []
    for number, name in enumerate(NAMES):
        proven, why = _proof(number, checks, require)
        if not has_files:
            proven, why = True, "there are no files to leave behind"
        state = "current" if number == current else "ahead" if number > current else "done" if proven else "unproven"
        stated.append(PhaseState(number, name, state, why))
    ok = all(one.state != "unproven" for one in stated)
    return Phase(current, ok, stated, [*mode.warnings, *(_haste(mode, checks, current, now) if has_files else [])])


def _current(mode: StorageMode) -> int:
    if not mode.write_database:
        return 0
    if not mode.write_file:
        return ALONE if mode.fallback_to_file else LAST
    if mode.read_database:
        return READING
    written = [stage in mode.stages for stage in STAGES]
    # The stages that are written without a gap: what comes behind one that is not was skipped to.
    return written.index(False) if False in written else len(STAGES)


def _proof(number: int, checks: Sequence[Check], require: int) -> tuple[bool, str]:
    """Return whether it is shown that a phase is done, and by what."""
    if number == 0:
        return True, "nothing has to be the same yet"
    wanted = STAGES[:number]
    tables = [table.name for table in TABLES if table.stage in wanted and reader_of(table.name) is not None]
    if not checks:
        return False, "no comparison was made: run check_consistency"
    found = {name: clean_in_a_row(list(checks), table=name) for name in tables}
    short = [name for name, count in found.items() if count < require]
    if short:
        return False, f"not the same {require}× one after the other: {', '.join(short)}"
    return True, f"the same {min(found.values())}× one after the other, last at {checks[-1].at:%Y-%m-%d %H:%M} UTC"


def _haste(mode: StorageMode, checks: Sequence[Check], current: int, now: dt.datetime) -> list[str]:
    warnings = []
    clean = [check.at for check in checks if check.clean]
    if current > 1 and (not clean or now - clean[0] < dt.timedelta(days=PHASE_DAYS_MIN)):
        warnings.append(f"phase {current} before {PHASE_DAYS_MIN} days of clean comparisons")
    if mode.write_file and mode.write_database and current < len(STAGES):
        skipped = [stage for stage in STAGES[current:] if stage in mode.stages]
        warnings += [f"{stage} are written to both before {STAGES[current]}: a phase was skipped" for stage in skipped]
    return warnings

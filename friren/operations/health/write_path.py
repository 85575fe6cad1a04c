"""The account of the write path: everything accepted is stored, a duplicate, a dead letter or still in a journal."""

from __future__ import annotations

from typing import Any

from django.db import DEFAULT_DB_ALIAS, Error, connections

from friren.operations.health.registry import Finding, register
from friren.persistence.conservation import buffered_here, journaled, write_path
from friren.persistence.journal import Address
from friren.persistence.replay import elsewhere, journal_root

__all__ = ["check_write_path", "figures", "register_all"]

FIGURES = ("last_seq", "stored", "duplicates", "dead_lettered", "backlog")


def register_all() -> None:
    """Register the check of this module."""
    register("write_path", check_write_path)


def check_write_path() -> Finding:
    """Account for every record of every producer, and name what a person should look at."""
    found = write_path(journal_root(), _address())
    abandoned = sum(producer.backlog for producer in found.producers if producer.alive is False)
    behind = found.total("backlog")
    troubles = [
        f"{found.open_letters} dead letters: see `manage.py dead_letters list`" if found.open_letters else "",
        f"{abandoned} records of dead processes wait for `manage.py replay`" if abandoned else "",
        f"{found.buffered} records are in memory only" if found.buffered else "",
        f"{found.total('ahead')} stored records are missing from their journals" if found.total("ahead") else "",
    ]
    told = [trouble for trouble in troubles if trouble]
    details = {
        **figures(),
        "open_dead_letters": found.open_letters,
        "producers": len(found.producers),
        "elsewhere": [entry["id"] for entry in elsewhere()],
    }
    return Finding(ok=not told, message="; ".join(told) or f"{behind} records on their way", details=details)


def figures() -> dict[str, Any]:
    """
    Return last_seq, stored, duplicates, dead_lettered, backlog and buffered over all producers of this database.

    While the database does not answer only what the disk tells is known; the rest is None.
    """
    try:
        found = write_path(journal_root(), _address())
    except Error:
        nothing = dict.fromkeys(FIGURES)
        return {**nothing, "last_seq": journaled(journal_root(), _address()), "buffered": buffered_here()}
    return {**{name: found.total(name) for name in FIGURES}, "buffered": found.buffered}


def _address() -> Address:
    return Address.of(connections.settings[DEFAULT_DB_ALIAS])

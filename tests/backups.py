"""Backups that were never dumped from anywhere: for tests of files, of time and of lists."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from pathlib import Path

from pyrage import encrypt, x25519

from friren.operations.backup.contents import Contents, Table
from friren.operations.backup.manifest import Manifest, Physical
from friren.operations.backup.shelf import Shelf, new_name

# How many random schedules each rule of retention is tried on.
SCHEDULES = int(os.environ.get("FRIREN_TEST_SCHEDULES") or 50)
# That the tests have on this machine.
BUCKET = "friren-backups"
MONDAY = dt.datetime(2026, 1, 5, 2, tzinfo=dt.UTC)


def some_contents(**changes: object) -> Contents:
    values = {
        "tables": {"public.trade": Table(3, "-17"), "public.symbol": Table(1, "5")},
        "sequences": {"public.seq": (10, 12)},
        "migrations": ["core.0001_initial", "core.0002_seed"],
        "objects": {"constraints": {"public.trade positive": "aa"}, "grants": {"public.trade": "bb"}},
        "roles": ["friren"],
        "skipped": [],
    }
    return Contents(**(values | changes))


def some_physical(**changes: object) -> Physical:
    values = {
        "system_identifier": "7000000000000000001", "timeline": 1, "start_lsn": "0/2000028", "stop_lsn": "0/2000120",
        "first_segment": "000000010000000000000002", "last_segment": "000000010000000000000002",
        "segment_bytes": 1 << 24, "stopped_at": MONDAY, "superuser": "friren", "unpacked_bytes": 1,
    }  # fmt: skip
    return Physical(**(values | changes))


def put(
    shelf: Shelf,
    *,
    at: dt.datetime = MONDAY,
    kind: str = "DAILY",
    dump: bytes = b"PGDMP" + bytes(range(256)) * 8,
    identity: x25519.Identity | None = None,
    beside: dict[str, bytes] | None = None,
    **changes: object,
) -> Path:
    """Publish a backup with the given bytes as its dump, and return its folder."""
    written = encrypt(dump, [identity.to_public()]) if identity else dump
    values = {
        "id": new_name(at, kind, ""),
        "kind": kind,
        "label": "",
        "format": "custom",
        "file": "friren.dump.age" if identity else "friren.dump",
        "bytes": len(written),
        "sha256": hashlib.sha256(written).hexdigest(),
        "recipients": [str(identity.to_public())] if identity else [],
        "started_at": at,
        "finished_at": at,
        "seconds": 0.0,
        "database": "friren",
        "server_version": "18.4",
        "program_version": "18.4",
        "friren_version": "0.1.0",
        "contents": some_contents(),
    }
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in (beside or {}).items()}
    manifest = Manifest(**({**values, "beside": sums} | changes))
    with shelf.locked():
        partial = shelf.begin(manifest.id)
        for name, content in {manifest.file: written, **(beside or {})}.items():
            (partial / name).write_bytes(content)
        return shelf.publish(partial, manifest)

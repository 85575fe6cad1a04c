"""What commands tell of a backup."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from friren.operations.backup.manifest import Manifest
from friren.operations.backup.positions import lsn_text
from friren.operations.backup.restoring import Restored
from friren.operations.backup.rewinding import Rewound
from friren.operations.backup.shelf import Stored

__all__ = ["of_manifest", "of_restored", "of_rewound", "of_stored", "size_of", "told_of_restored", "told_of_rewound"]


# Of a backup of the whole server.
_PHYSICAL: Final = ("parent", "system_identifier", "timeline", "start_lsn", "stop_lsn", "stopped_at")


def of_manifest(manifest: Manifest, path: Path, *, verified: bool) -> Mapping[str, Any]:
    """Return the report of one backup; of a whole server also which WAL it begins and ends with."""
    physical = manifest.physical
    return {
        "id": manifest.id,
        "kind": manifest.kind.lower(),
        "label": manifest.label,
        "path": str(path),
        "bytes": manifest.bytes,
        "sha256": manifest.sha256,
        "encrypted": bool(manifest.recipients),
        "started_at": manifest.started_at,
        "seconds": manifest.seconds,
        "verified": verified,
        "tables": {name: {"rows": one.rows, "digest": one.digest} for name, one in manifest.contents.tables.items()},
        **({} if physical is None else {name: getattr(physical, name) for name in _PHYSICAL}),
    }


def size_of(report: Mapping[str, Any]) -> str:
    """Return in words what is in a backup, from its report."""
    if "parent" in report:
        return "all of the server" if not report["parent"] else f"what has changed since {report['parent']}"
    return f"{len(report['tables'])} tables with {sum(table['rows'] for table in report['tables'].values())} rows"


def of_stored(stored: Stored) -> Mapping[str, Any]:
    """Return the line of one backup in a list; one that is damaged says how."""
    if stored.manifest is None:
        return {"id": stored.folder.name, "path": str(stored.folder), "verified": False, "problem": stored.problem}
    report = dict(
        of_manifest(stored.manifest, stored.folder / stored.manifest.file, verified=bool(stored.verification))
    )
    report["tables"] = len(stored.manifest.contents.tables)
    return report


def of_restored(done: Restored) -> Mapping[str, Any]:
    """Return the report of a dump that was restored."""
    return {
        **of_manifest(done.manifest, done.path, verified=True),
        "seconds": done.seconds,
        "database": done.database,
        "kept": done.kept,
        "skipped": done.skipped,
    }


def told_of_restored(report: Mapping[str, Any]) -> list[str]:
    """Return in lines for people what was restored, and what to do with it."""
    lines = [
        f"{report['id']} is restored into {report['database']} in {report['seconds']:.1f} s, equal: {size_of(report)}",
        *(f"  not restored or not compared: {what}" for what in report["skipped"]),
        "`manage.py migrate` applies what the code has since added.",
    ]
    if report["kept"]:
        lines.append(f"The database that was there is now {report['kept']}; drop it when you no longer need it.")
    return lines


def of_rewound(done: Rewound) -> Mapping[str, Any]:
    """Return the report of a server that was restored to a moment."""
    contents = done.recovered.contents
    return {
        "target": str(done.target),
        "path": str(done.path),
        "kept": done.kept,
        "in_place": done.in_place,
        "chain": [link.manifest.id for link in done.chain],
        "wal": {"segments": len(done.wal.segments), "first": done.wal.segments[0], "last": done.wal.segments[-1]},
        "timeline": done.recovered.timeline,
        "lsn": lsn_text(done.recovered.lsn),
        "last_transaction_at": done.recovered.at,
        "tables": {name: {"rows": one.rows, "digest": one.digest} for name, one in contents.tables.items()},
        "sequences": {name: value for name, (value, _same) in contents.sequences.items()},
        "migrations": len(contents.migrations),
        "seconds": done.seconds,
        "skipped": done.skipped,
    }


def told_of_rewound(report: Mapping[str, Any]) -> list[str]:
    """Return in lines for people what was restored, and what to do with it."""
    last, chain, wal = report["last_transaction_at"], report["chain"], report["wal"]
    rows = sum(table["rows"] for table in report["tables"].values())
    lines = [
        f"{name}: {table['rows']} rows, digest {table['digest']}"
        for name, table in report["tables"].items()
        if table["rows"]
    ]
    size = f"{len(report['tables'])} tables with {rows} rows, {len(report['sequences'])} sequences"
    lines += [
        f"{report['target']} is restored into {report['path']} in {report['seconds']:.1f} s",
        f"  {size}, {report['migrations']} migrations",
        f"  from {', '.join(chain)} and {wal['segments']} segments of WAL, {wal['first']} to {wal['last']}",
        f"  up to {report['lsn']}, the last transaction of {last}; timeline {report['timeline']} begins here",
        *(f"  not done: {what}" for what in report["skipped"]),
    ]
    if report["kept"]:
        lines.append(f"What was there is now {report['kept']}; remove it when you no longer need it.")
    if report["in_place"]:
        lines.append("The embedded server runs on it: `manage.py migrate`, `replay`, and a new `backup --base`.")
    else:
        lines.append(
            "Start a PostgreSQL of that version on it, point DATABASE_URL there, and make a new `backup --base`."
        )
    return lines

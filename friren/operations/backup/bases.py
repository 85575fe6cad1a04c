"""
Back up the whole server, as the start of a way to any later moment: pg_basebackup → gzip → encryption → disk.

A base has every file of the server, an incremental one (PostgreSQL 17 and newer) the blocks that were changed since the
one before. Each takes the WAL along that it needs to be consistent, so it can be restored without an archive too.
"""

from __future__ import annotations

import datetime as dt
import tarfile
import zlib
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, Final

import msgspec
import psycopg

from friren.errors import BackupError
from friren.operations.backup import records, settings
from friren.operations.backup.chains import latest_link
from friren.operations.backup.contents import Contents
from friren.operations.backup.dumping import write_output
from friren.operations.backup.encryption import check_keys
from friren.operations.backup.making import Made, Plan, carry_out, manifest_of, plan_backup
from friren.operations.backup.manifest import Manifest, Physical
from friren.operations.backup.positions import lsn_of, segment_name
from friren.operations.backup.programs import Server, connect, find_programs, server_of
from friren.operations.backup.proving import PG_MANIFEST
from friren.operations.backup.retention import BASE, INCREMENTAL
from friren.operations.backup.settings import CHUNK_BYTES, COMPRESSION_LEVEL
from friren.operations.backup.shelf import Shelf, Stored
from friren.persistence.journal.files import FILES

__all__ = ["make_base"]

_FILE: Final = "base.tar.gz"
_FORMS: Final = {BASE: "base", INCREMENTAL: "incr"}
_INCREMENTAL_SINCE: Final = 17
_BLOCK: Final = 512
_GZIP: Final = 31
_UNREAD: Final = Contents(
    {}, {}, [], {}, [], ["rows: the server went on meanwhile, so they are read and compared with nothing"]
)


def make_base(
    *, incremental: bool = False, label: str = "", encrypt: bool = False, directory: Path | None = None
) -> Made:
    """
    Back up the whole server into a folder of its own below the folder of backups. Nobody is held up.

    Args:
        incremental: only what has changed since the newest one of this server there.
        label: letters, digits, `_` and `.` for people, part of the name.
        encrypt: refuse to make one that is not encrypted. BACKUP_ENCRYPTION_KEY alone encrypts too.
        directory: where; BACKUP_DIR by default.

    Raises:
        BackupError: it could not be made; nothing of it is left.
        ConfigurationError: a key or the programs are missing.
    """
    kind = INCREMENTAL if incremental else BASE
    plan = plan_backup(kind=kind, label=label, form=_FORMS[kind], file=_FILE, encrypt=encrypt)
    shelf = Shelf(directory or settings.directory())
    return carry_out(plan, shelf, lambda partial: _write(partial, plan, shelf))


def _write(partial: Path, plan: Plan, shelf: Shelf) -> Manifest:
    with connect() as session:
        server, cluster = server_of(session), _cluster(session)
        parent = _parent(session, server, cluster, shelf) if plan.kind == INCREMENTAL else None
        programs = find_programs(server.major, encrypted=server.encrypted, program="pg_basebackup")
        command = [
            programs.program("pg_basebackup"), f"--dbname={server.conninfo}", "--no-password", "--pgdata=-",
            "--format=tar", "--wal-method=fetch", "--checkpoint=fast", "--manifest-checksums=SHA256",
            f"--label={plan.name}",
            *([f"--incremental={parent.folder / PG_MANIFEST}"] if parent else []),
        ]  # fmt: skip
        members = _Members()
        written = write_output(
            command, partial / plan.file, server=server, keys=check_keys(plan.recipients),
            through=lambda output: _Packed(output, members),
        )  # fmt: skip
        (stopped_at,) = session.execute("SELECT clock_timestamp()").fetchone() or (None,)
    text = bytes(members.found.get(PG_MANIFEST, b""))
    physical = _physical(text, cluster, parent, members.unpacked, stopped_at)
    FILES.write_whole(partial / PG_MANIFEST, text)
    beside = {PG_MANIFEST: sha256(text).hexdigest()}
    return manifest_of(
        plan, written, server=server, program_version=programs.version, contents=_UNREAD, physical=physical,
        beside=beside,
    )  # fmt: skip


class _Cluster(msgspec.Struct, frozen=True):
    """What the server says of itself."""

    system_identifier: str
    segment_bytes: int
    superuser: str


def _cluster(session: psycopg.Connection[Any]) -> _Cluster:
    row = session.execute(
        "SELECT system_identifier::text, (SELECT setting::bigint FROM pg_settings WHERE name = 'wal_segment_size'), "
        "(SELECT rolname FROM pg_roles WHERE oid = 10) FROM pg_control_system()"
    ).fetchone()
    assert row is not None
    return _Cluster(*row)


def _parent(session: psycopg.Connection[Any], server: Server, cluster: _Cluster, shelf: Shelf) -> Stored:
    """Return what an incremental backup builds on, or say why there is none to be made."""
    if server.major < _INCREMENTAL_SINCE:
        raise BackupError(
            f"--incremental needs PostgreSQL {_INCREMENTAL_SINCE} or newer, and this server is {server.version}: "
            "make a base (`backup --base`)"
        )
    if session.execute("SHOW summarize_wal").fetchone() != ("on",):
        raise BackupError(
            "--incremental needs summarize_wal=on since before the base that it builds on: set it in postgresql.conf, "
            "reload, and make a base (`backup --base`)"
        )
    parent = latest_link(shelf, cluster.system_identifier, refuted=records.refuted(shelf))
    if parent is None:
        raise BackupError(f"there is no base of this server in {shelf.directory}: make one first (`backup --base`)")
    return parent


def _physical(
    text: bytes, cluster: _Cluster, parent: Stored | None, unpacked: int, stopped_at: dt.datetime | None
) -> Physical:
    try:
        ranges = msgspec.json.decode(text, type=_Account).ranges
    except msgspec.MsgspecError as exc:
        raise BackupError(f"pg_basebackup gave no account of its files: {exc}") from exc
    if not ranges or stopped_at is None:
        raise BackupError("pg_basebackup gave no account of the WAL that its files need")
    # One for each timeline that was passed.
    ranges = sorted(ranges, key=lambda one: one.timeline)
    first, last, size = ranges[0], ranges[-1], cluster.segment_bytes
    return Physical(
        system_identifier=cluster.system_identifier,
        timeline=last.timeline,
        start_lsn=first.start,
        stop_lsn=last.end,
        first_segment=segment_name(first.timeline, lsn_of(first.start) // size, size),
        last_segment=segment_name(last.timeline, (lsn_of(last.end) - 1) // size, size),
        segment_bytes=size,
        stopped_at=stopped_at,
        superuser=cluster.superuser,
        unpacked_bytes=unpacked,
        parent=parent.folder.name if parent else "",
    )


class _Range(msgspec.Struct):
    timeline: int = msgspec.field(name="Timeline")
    start: str = msgspec.field(name="Start-LSN")
    end: str = msgspec.field(name="End-LSN")


class _Account(msgspec.Struct):
    """What we read of a backup_manifest."""

    ranges: list[_Range] = msgspec.field(name="WAL-Ranges")


class _Members:
    """
    Looks at a tar file as it passes.

    Attributes:
        found: content of the members that we want to know.
        unpacked: bytes of all of them.
    """

    def __init__(self) -> None:
        self.found: dict[str, bytearray] = {}
        self.unpacked = 0
        self._header = bytearray()
        self._taking: bytearray | None = None
        self._content = self._padding = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        rest = memoryview(data)
        while rest:
            if self._content:
                part, rest = rest[: self._content], rest[self._content :]
                self._content -= len(part)
                if self._taking is not None:
                    self._taking += part
            elif self._padding:
                part, rest = rest[: self._padding], rest[self._padding :]
                self._padding -= len(part)
            else:
                missing = _BLOCK - len(self._header)
                self._header += rest[:missing]
                rest = rest[missing:]
                if len(self._header) == _BLOCK:
                    self._begin(bytes(self._header))
                    self._header.clear()

    def _begin(self, header: bytes) -> None:
        if not any(header):
            return  # the end is two empty blocks
        member = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
        self._taking = self.found.setdefault(member.name, bytearray()) if member.name == PG_MANIFEST else None
        self._content, self._padding = member.size, -member.size % _BLOCK
        self.unpacked += member.size


class _Packed:
    """What pg_basebackup prints, looked at and compressed."""

    def __init__(self, source: IO[bytes], members: _Members) -> None:
        self._source, self._members = source, members
        self._packer = zlib.compressobj(COMPRESSION_LEVEL, zlib.DEFLATED, _GZIP)
        self._ready = bytearray()
        self._ended = False

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes, at most `size`; none at the end."""
        while not self._ended and (size < 0 or len(self._ready) < size):
            if data := self._source.read(CHUNK_BYTES):
                self._members.feed(data)
                self._ready += self._packer.compress(data)
            else:
                self._ready += self._packer.flush()
                self._ended = True
        size = len(self._ready) if size < 0 else size
        part = bytes(self._ready[:size])
        del self._ready[:size]
        return part

"""
Sealing: facts that are new since the last time become signed blocks, and the blocks' head leaves the database.

All blocks of one run are one transaction; the head is exported once it has committed, and what a crash kept from
being exported is exported by the next run.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgspec
import psycopg
from django.db import IntegrityError, connections
from django.utils import timezone

from friren.core.choices import AuditAction
from friren.errors import DatabaseUnavailableError, FrirenError
from friren.locking import exclusive
from friren.operations.audit.blocks import GENESIS, Sealed, moment_text
from friren.operations.audit.chain import SOURCE, Chain
from friren.operations.audit.compare import Fault
from friren.operations.audit.export import Acceptance, Exported, Note, Rotation, audit_folder, export_folder
from friren.operations.audit.horizon import settled_horizon
from friren.operations.audit.keys import KeyRing, SigningKey, renewed_key, signing_key
from friren.operations.audit.layout import layouts
from friren.operations.audit.rows import one_snapshot
from friren.operations.models import AuditBlock
from friren.persistence.audit import record_operation
from friren.persistence.journal.files import FILES

__all__ = ["SealReport", "accept_restore", "head_in", "head_of", "read_exported", "rotate_key", "seal"]

# An import of a million rows is one transaction of some seconds; what runs longer is worth a look.
WAIT_SECONDS: Final = 60.0
# Whoever else seals takes seconds, unless it is the first time in a large database.
LOCK_SECONDS: Final = 60.0
# Blocks that are exported together: their leaves take half a megabyte each.
EXPORTED_AT_ONCE: Final = 50
# More altered rows than that have one cause.
ALTERED_MAX: Final = 100
# One number for all who seal one database: "seal" in ASCII.
ADVISORY_LOCK: Final = 0x7365616C
OTHER_SEALER: Final = "another machine is sealing this database: do it again later"
LABEL: Final = AuditBlock._meta.label


class SealReport(msgspec.Struct, frozen=True, kw_only=True):
    """
    What was sealed.

    Attributes:
        blocks, rows: made now.
        head: number and hash of the newest block, None while there is none.
        last_seq: up to which number facts are sealed.
        exported: how many blocks were written to the head outside the database.
        altered: rows that were changed between being stored and being sealed, the first hundred of them; they are
            sealed as they are.
    """

    blocks: int
    rows: int
    head: dict[str, Any] | None
    last_seq: int
    exported: int
    altered: tuple[Fault, ...] = ()


def seal(*, using: str = "default", wait: float = WAIT_SECONDS) -> SealReport:
    """
    Seal every fact that no running transaction can come before.

    Args:
        wait: seconds to wait for transactions that were running when this began.

    Raises:
        DatabaseUnavailableError: one of them is still running, or another process seals.
        FrirenError: the chain in the database does not continue the exported one (see `verify_audit`), or the disk
            refuses the head.
        ConfigurationError: the key cannot be used.
    """
    with _alone(using):
        key = signing_key(audit_folder())
        exported = read_exported(using)
        missing = _export(exported, using)
        horizon = settled_horizon(using=using, wait=wait)
        try:
            blocks, rows, altered = _extend(key, horizon, using)
        except IntegrityError as exc:
            raise DatabaseUnavailableError(OTHER_SEALER) from exc
        missing += _export(exported, using)
        last = exported.last
        return SealReport(
            blocks=blocks,
            rows=rows,
            head=None if last is None else {"seq": last.block.seq, "hash": last.hash},
            last_seq=max((sealed.block.last_seq for sealed in exported.blocks.values()), default=0),
            exported=missing,
            altered=altered,
        )


def _extend(key: SigningKey, horizon: int, using: str) -> tuple[int, int, tuple[Fault, ...]]:
    """Seal what is new, all or none of it; return how many blocks and rows, and which rows were altered before."""
    blocks = rows = 0
    altered: tuple[Fault, ...] = ()
    with one_snapshot(using):
        _lock(using)
        chain = Chain(using=using, key=key)
        if chain.has_news(horizon):
            altered = tuple(itertools.islice(chain.altered(horizon), ALTERED_MAX))
            for block in itertools.chain.from_iterable(chain.extend(layout, horizon) for layout in layouts()):
                blocks, rows = blocks + 1, rows + block.row_count
            told = {"altered": [f"{fault.table} {fault.id}" for fault in altered]} if altered else {}
            _note(AuditAction.CREATE, f"{blocks} blocks", using, after={"blocks": blocks, "rows": rows, **told})
    return blocks, rows, altered


def head_in(session: psycopg.Connection[Any]) -> str:
    """
    Return number and hash of the newest block that a session sees, as `verify_audit --expect` takes them.

    What a backup's manifest keeps of the audit; "" where nothing is sealed, or the tables are older than seals.
    """
    # With its schema: a session that dumps a database looks for no name by itself.
    table = f"public.{AuditBlock._meta.db_table}"
    if session.execute("SELECT to_regclass(%s)", [table]).fetchone() == (None,):
        return ""
    told = "seq || ':' || encode(block_hash, 'hex')"
    found = session.execute(f"SELECT {told} FROM {table} ORDER BY seq DESC LIMIT 1").fetchone()
    return "" if found is None else str(found[0])


def head_of(using: str = "default") -> dict[str, Any] | None:
    """Return number and hash of the newest block in the database."""
    found = AuditBlock.objects.using(using).order_by("-seq").values_list("seq", "block_hash").first()
    return None if found is None else {"seq": found[0], "hash": bytes(found[1]).hex()}


def rotate_key(*, using: str = "default") -> str:
    """
    Sign with a new key from now on; return its id. The old one signs the new one, and is forgotten.

    Raises:
        DatabaseUnavailableError, FrirenError, ConfigurationError: as for `seal`.
    """
    with _alone(using):
        old, exported = signing_key(audit_folder()), read_exported(using)
        _export(exported, using)

        def announce(key: SigningKey) -> None:
            note = Rotation(at=moment_text(timezone.now()), key_id=old.id, public=key.public)
            exported.append(notes=[_signed(note, old)])

        new = renewed_key(audit_folder(), announce)
        with one_snapshot(using):
            _note(AuditAction.CONFIG_CHANGE, new.id, using, before={"key_id": old.id}, after={"key_id": new.id})
        return new.id


def accept_restore(*, reason: str, using: str = "default") -> int:
    """
    Go on from the block that a restored database ends with; return its number. The later ones stay in the file.

    Raises:
        DatabaseUnavailableError, ConfigurationError: as for `seal`.
        FrirenError: the newest block in the database was not exported, or nothing was rolled back.
    """
    with _alone(using):
        exported = read_exported(using)
        found = head_of(using) or {"seq": 0, "hash": GENESIS.hex()}
        lost = 0 if exported.last is None else exported.last.block.seq
        if lost <= found["seq"]:
            raise FrirenError("nothing was rolled back: the database has every exported block")
        if found["seq"] and exported.blocks[found["seq"]].hash != found["hash"]:
            raise FrirenError(f"block {found['seq']}, the newest in the database, is not the one that was exported")
        key = signing_key(audit_folder())
        note = Acceptance(at=moment_text(timezone.now()), key_id=key.id, seq=found["seq"], reason=reason)
        exported.append(notes=[_signed(note, key)])
        with one_snapshot(using):
            after = {"head": found["seq"], "reason": reason}
            _note(AuditAction.RESTORE, str(found["seq"]), using, before={"head": lost}, after=after)
        return int(found["seq"])


def read_exported(using: str) -> Exported:
    """
    Return what was exported of a database.

    Raises:
        ConfigurationError: a file cannot be read.
        FrirenError: the file is not what was written.
    """
    exported = Exported.read(export_folder(using), KeyRing.of_folder(audit_folder()), every_signature=False)
    if exported.faults:
        raise FrirenError(f"the exported head is damaged: {exported.faults[0]}")
    return exported


def _export(exported: Exported, using: str) -> int:
    """Write the blocks to the head that are in the database only; return how many."""
    last = exported.last
    rows = AuditBlock.objects.using(using)
    if last is not None:
        own = rows.filter(seq=last.block.seq).values_list("block_hash", flat=True).first()
        if own is None or bytes(own).hex() != last.hash:
            raise FrirenError(
                f"the database does not have block {last.block.seq} as it was exported: see `verify_audit`; after a "
                "restore that was meant, `seal_audit --accept-restore REASON`"
            )
    count, since = 0, 0 if last is None else last.block.seq
    while batch := list(rows.filter(seq__gt=since).order_by("seq")[:EXPORTED_AT_ONCE]):
        exported.append((Sealed.of_row(row), bytes(row.leaves)) for row in batch)
        count, since = count + len(batch), batch[-1].seq
    return count


def _signed(note: Rotation | Acceptance, key: SigningKey) -> Note:
    return Note(note=note, signature=key.sign(Note.signed_content(note)).hex())


def _note(action: str, about: str, using: str, **told: Any) -> None:
    record_operation(action, source=SOURCE, model_label=LABEL, object_pk=about, using=using, **told)


@contextmanager
def _alone(using: str) -> Iterator[None]:
    """Keep everybody else on this machine from sealing this database."""
    folder = export_folder(using)
    FILES.make_directory(folder)
    with exclusive(folder / "lock", timeout=LOCK_SECONDS):
        yield


def _lock(using: str) -> None:
    """
    Keep other machines from sealing this database until the transaction ends.

    One that has just sealed may be unseen by this snapshot: the number of the next block is taken then.
    """
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [ADVISORY_LOCK])
        if not cursor.fetchone()[0]:
            raise DatabaseUnavailableError(OTHER_SEALER)

"""Moving records out of memory, in order, once something else takes them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any
from uuid import UUID

from friren.core.ids import new_id
from friren.errors import RejectedRecordError
from friren.persistence import handlers
from friren.persistence.buffer import Buffer, Buffered, Loss
from friren.persistence.codec import RejectedFill, UnreadableRecordError, decode, encode
from friren.persistence.facts import Fact

__all__ = ["loss_fact", "relieve"]

log = logging.getLogger(__name__)

Append = Callable[..., bool]
Store = Callable[[Callable[[str], Any]], Any]


def relieve(buffer: Buffer, *, append: Append, store: Store, producer: UUID) -> None:
    """
    Move the records of `buffer` to the disk, or past it into the database, and write down what was lost.

    Does nothing while another thread is at it.

    Args:
        append: `append(payload, sync=)` takes a record into the journal, or returns False.
        store: runs a write on a ready connection, or returns None.
        producer: who lost what was lost.
    """
    if not buffer.relieving.acquire(blocking=False):
        return
    try:
        _move(buffer, append, store, producer)
    finally:
        buffer.relieving.release()


def _move(buffer: Buffer, append: Append, store: Store, producer: UUID) -> None:
    while (record := buffer.first()) is not None:
        if not append(record.payload, sync=record.sync) and not _store(record, store):
            return
        buffer.drop_first()
    losses = buffer.take_losses()
    for kind in list(losses):
        if not append(encode(loss_fact(kind, losses[kind], producer)), sync=True):
            break
        del losses[kind]
    buffer.put_back_losses(losses)


def _store(record: Buffered, store: Store) -> bool:
    """Store a record directly; what the database refuses has to wait for the disk, which keeps dead letters."""
    try:
        fact = decode(record.payload)
        return store(lambda alias: handlers.apply(fact, using=alias)) is not None
    except (RejectedRecordError, RejectedFill, UnreadableRecordError):
        return False


def loss_fact(kind: str, loss: Loss, producer: UUID) -> Fact:
    """Return the record that says how much of a kind was lost."""
    return Fact(
        kind="loss_record",
        id=new_id(),
        values={
            "producer": producer,
            "kind": kind,
            "lost": loss.lost,
            "first_at": loss.first_at,
            "last_at": loss.last_at,
            "reason": "database and disk refused and the memory buffer was full",
        },
    )

"""
The recorder: the one door through which loggers write.

In direct mode a record is one commit, and its receipt says STORED or DUPLICATE; while the database cannot take
it within the deadline it goes to the journal, as every record does in journal mode. See friren.persistence.engine.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from django.db import connections

from friren.errors import ConfigurationError, RejectedRecordError, shown
from friren.persistence import checks, handlers
from friren.persistence.codec import encode_rejected
from friren.persistence.engines import engine_for
from friren.persistence.facts import Fact
from friren.persistence.policies import KindPolicy, policy_of
from friren.persistence.receipts import BulkReceipt, Receipt, WriteOutcome
from friren.persistence.settings import CLOSE_SECONDS

__all__ = ["Recorder"]

MODES: Final = ("direct", "journal")
DURABILITIES: Final = ("sync", "os")


class Recorder:
    """
    Writes facts.

    Args:
        mode: "direct": the call returns when the record is committed, or journaled because it cannot be in time.
            "journal": the call appends to the journal and returns.
        using: alias of the database.
        durability: what a journaled record survives: "sync" a power cut, "os" the end of the process. By the
            kind of fact unless given: books "sync", telemetry "os".
    """

    def __init__(self, *, mode: str = "direct", using: str = "default", durability: str | None = None) -> None:
        if mode not in MODES:
            raise ConfigurationError(f"mode={shown(mode)}: must be one of {', '.join(MODES)}")
        if durability is not None and durability not in DURABILITIES:
            raise ConfigurationError(f"durability={shown(durability)}: must be one of {', '.join(DURABILITIES)}")
        self.mode, self.using, self.durability = mode, using, durability
        self._direct = mode == "direct"
        self._sync = None if durability is None else durability == "sync"
        self._closed = threading.Event()

    def record(self, fact: Fact) -> Receipt:
        """
        Record one fact.

        Raises:
            RejectedRecordError: the data is wrong; nothing was stored.
            StopTradingError: it would bring new risk, and nothing can be recorded safely.
            RuntimeError: called inside an open transaction, or after close().
        """
        return self.record_by(fact, lambda alias: handlers.apply(fact, using=alias))

    def record_by(self, fact: Fact, write: Callable[[str], Receipt]) -> Receipt:
        """
        Record one fact by `write(alias)`, which stores it and what follows from it in one commit.

        In the journal the fact stands alone; what follows from it is made up for later. Errors as for `record`.
        """
        self._refuse()
        if self._direct:
            stored = self._store([fact], lambda alias: [write(alias)])
            if stored is not None:
                return stored[0]
        return self._accept(fact)

    def record_all(self, facts: Sequence[Fact]) -> list[Receipt]:
        """
        Record several facts: in one commit, all of them, or none when one is refused.

        In the journal they follow one another, and each is judged by itself. Errors as for `record`.
        """
        self._refuse()
        if self._direct:
            stored = self._store(facts, lambda alias: handlers.apply_all(facts, using=alias))
            if stored is not None:
                return stored
        return [self._accept(fact) for fact in facts]

    def record_many(
        self, makers: Sequence[Callable[[], Fact]], *, parameters: Mapping[str, str] | None = None
    ) -> BulkReceipt:
        """
        Make and record facts one by one; a wrong one is reported by its index and does not stop the rest.

        Args:
            parameters: what the caller calls the columns that it knows by another name.
        """
        counts = dict.fromkeys(WriteOutcome, 0)
        rejected: list[tuple[int, RejectedRecordError]] = []
        for index, make in enumerate(makers):
            try:
                fact = make()
            except RejectedRecordError as exc:
                rejected.append((index, exc))
                continue
            try:
                counts[self.record(fact).outcome] += 1
            except RejectedRecordError as exc:
                rejected.append((index, exc.named(parameters or {})))
        return BulkReceipt(
            stored=counts[WriteOutcome.STORED],
            duplicates=counts[WriteOutcome.DUPLICATE],
            rejected=rejected,
            journaled=counts[WriteOutcome.JOURNALED],
            buffered=counts[WriteOutcome.BUFFERED],
            lost=counts[WriteOutcome.LOST],
        )

    def keep_rejected(self, kind: str, said: Mapping[str, Any], error: RejectedRecordError) -> None:
        """Keep what a caller said of an executed fill that was refused, on the `rejected` shelf."""
        engine_for(self.using).keep(encode_rejected(kind, said, error))

    def flush(self, timeout: float) -> bool:
        """Return whether everything this process recorded until now is stored within `timeout` seconds."""
        seconds = checks.check_stat("timeout", timeout)
        return engine_for(self.using).flush(seconds)

    def refuse_closed(self) -> None:
        """Raise RuntimeError after close()."""
        if self._closed.is_set():
            raise RuntimeError("this service is closed")

    def close(self, timeout: float = CLOSE_SECONDS) -> None:
        """Refuse further records, and give those in the journal a chance to be stored. Safe to call twice."""
        if self._closed.is_set():
            return
        self._closed.set()
        engine = engine_for(self.using)
        if engine.backlog and engine.circuit.closed:
            engine.flush(timeout)

    def _refuse(self) -> None:
        self.refuse_closed()
        if connections[self.using].in_atomic_block:
            raise RuntimeError(handlers.OPEN_TRANSACTION)

    def _store(self, facts: Sequence[Fact], write: Callable[[str], list[Receipt]]) -> list[Receipt] | None:
        """Write directly; None when the journal is the way."""
        engine = engine_for(self.using)
        policies = [policy_of(fact.kind) for fact in facts]
        if any(policy.ordered for policy in policies) and engine.backlog:
            return None
        try:
            return engine.store(write)
        except RejectedRecordError as exc:
            if isinstance(exc, handlers.MissingRowError) and engine.backlog:
                return None  # what it refers to may still be in the journal
            for fact, policy in zip(facts, policies, strict=True):
                self._keep_refused(fact, policy, exc)
            raise

    def _keep_refused(self, fact: Fact, policy: KindPolicy, error: RejectedRecordError) -> None:
        if policy.happened:
            self.keep_rejected(fact.kind, {"id": fact.id, **fact.values}, error)

    def _accept(self, fact: Fact) -> Receipt:
        sync = self._sync
        if sync is None:
            sync = policy_of(fact.kind).synced
        return engine_for(self.using).accept(fact, sync=sync)

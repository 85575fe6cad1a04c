"""
The recorder: the one door through which loggers write.

In direct mode a record is one commit, and its receipt says STORED or DUPLICATE; while the database cannot take
it within the deadline it goes to the journal, as every record does in journal mode. See friren.persistence.engine.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, TypeVar

from django.db import connections

from friren.errors import ConfigurationError, RejectedRecordError, shown
from friren.persistence import checks, handlers, settings
from friren.persistence.bulk import record_in_batches, store_batch
from friren.persistence.codec import encode_rejected
from friren.persistence.engines import engine_for
from friren.persistence.facts import Fact
from friren.persistence.groups import group_of
from friren.persistence.open_transactions import open_transaction
from friren.persistence.policies import KindPolicy, policy_of
from friren.persistence.receipts import BulkReceipt, Receipt
from friren.persistence.steps import step

__all__ = ["Recorder"]

Result = TypeVar("Result")
Told = TypeVar("Told")
MODES: Final = ("direct", "journal")
DURABILITIES: Final = ("sync", "os")
# How often a job that waits for its records asks whether the database is there at all.
DRAINED_LOOK_SECONDS: Final = 1.0


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
        if self._direct:
            return self.record_by(fact, lambda alias: handlers.apply(fact, using=alias))
        self._refuse()
        sync = policy_of(fact.kind).synced if self._sync is None else self._sync
        return engine_for(self.using).accept(fact, sync=sync)

    def record_by(self, fact: Fact, write: Callable[[str], Receipt], *, patient: bool = False) -> Receipt:
        """
        Record one fact by `write(alias)`, which stores it and what follows from it in one commit.

        In the journal the fact stands alone; what follows from it is made up for later. Errors as for `record`.

        Args:
            patient: what follows may take longer than a logger call may.
        """
        self._refuse()
        if self._direct:
            stored = self._store([fact], lambda alias: [write(alias)], patient=patient)
            if stored is not None:
                return stored[0]
        return self._accept(fact)

    def record_all(self, facts: Sequence[Fact]) -> list[Receipt]:
        """
        Record several facts, all of them or none: in one commit, or as one record of the journal.

        Errors as for `record`.
        """
        self._refuse()
        if self._direct:
            stored = self._store(facts, lambda alias: handlers.apply_all(facts, using=alias))
            if stored is not None:
                return stored
        taken = self._accept(group_of(facts))
        return [Receipt(fact.id, taken.outcome, taken.synced) for fact in facts]

    def record_many(
        self, told: Iterable[Told], make: Callable[[Told], Fact], *, parameters: Mapping[str, str] | None = None
    ) -> BulkReceipt:
        """
        Make and record facts in batches; a wrong one is reported by its index and does not stop the rest.

        Args:
            told: taken as they are needed, so a generator of any length is fine.
            make: returns the fact of one, or raises RejectedRecordError.
            parameters: what the caller calls the columns that it knows by another name.
        """
        self._refuse()
        return record_in_batches(told, make, self._record_batch, parameters=parameters or {})

    def store_many(self, write: Callable[[str], Result], *, ordered: bool = False) -> Result | None:
        """
        Run `write(alias)`, which stores many records in one commit; None when they have to go by `journal`.

        Args:
            ordered: they must not overtake what this process has in its journal.
        """
        self._refuse()
        engine = engine_for(self.using)
        if not self._direct or (ordered and not engine.caught_up()):
            return None
        return engine.store(write, deadline=settings.BULK_DEADLINE_SECONDS)

    def journal(self, fact: Fact) -> Receipt:
        """Take a fact into the journal, whatever the mode. Errors as for `record`."""
        self._refuse()
        return self._accept(fact)

    def keep_rejected(self, kind: str, said: Mapping[str, Any], error: RejectedRecordError) -> None:
        """Keep what a caller said of an executed fill that was refused, on the `rejected` shelf."""
        engine_for(self.using).keep(encode_rejected(kind, said, error))

    def flush(self, timeout: float) -> bool:
        """Return whether everything this process recorded until now is stored within `timeout` seconds."""
        seconds = checks.check_stat("timeout", timeout)
        return engine_for(self.using).flush(seconds)

    def settle(self) -> None:
        """Wait a little for what is still in the journal, before a step that builds on stored rows."""
        engine = engine_for(self.using)
        if engine.backlog and engine.circuit.closed:
            engine.flush(settings.SETTLE_SECONDS)

    @property
    def backlog(self) -> int:
        """How many records of this process are not in the database yet."""
        return engine_for(self.using).backlog

    @property
    def reachable(self) -> bool:
        """Whether the database answered when it was last asked."""
        return engine_for(self.using).circuit.closed

    def drained(self, timeout: float = settings.DRAINED_SECONDS) -> bool:
        """Return whether all records of this process are stored; waits as long as the database answers."""
        engine = engine_for(self.using)
        now = engine.clock.now
        began = now()
        answered = began
        while not engine.flush(min(DRAINED_LOOK_SECONDS, max(0.0, began + timeout - now()))):
            if engine.work(_answers):
                answered = now()
            if now() >= min(began + timeout, answered + settings.DRAINED_SILENCE_SECONDS):
                return False
        return True

    def derive(self, work: Callable[[str], Result]) -> Result | None:
        """
        Run `work(alias)`, which records nothing but works out what follows from stored facts.

        Returns:
            What it returns, or None when the database cannot do it now.

        Raises:
            RejectedRecordError: what is asked for makes no sense.
            RuntimeError: called inside an open transaction, or after close().
        """
        self._refuse()
        return engine_for(self.using).work(work)

    def step(self, what: str) -> AbstractContextManager[str]:
        """Return the connection for an administrative step, see `steps.step`. RuntimeError as for `derive`."""
        self._refuse()
        return step(what, using=self.using)

    def refuse_closed(self) -> None:
        """Raise RuntimeError after close()."""
        if self._closed.is_set():
            raise RuntimeError("this service is closed")

    def close(self, timeout: float = settings.CLOSE_SECONDS) -> None:
        """Refuse further records, and give those in the journal a chance to be stored. Safe to call twice."""
        if self._closed.is_set():
            return
        self._closed.set()
        engine = engine_for(self.using)
        if engine.backlog and engine.circuit.closed:
            engine.flush(timeout)

    def _refuse(self) -> None:
        if self._closed.is_set():
            self.refuse_closed()
        if open_transaction(self.using):
            raise RuntimeError(handlers.OPEN_TRANSACTION)

    def _store(
        self, facts: Sequence[Fact], write: Callable[[str], list[Receipt]], *, patient: bool = False
    ) -> list[Receipt] | None:
        """Write directly; None when the journal is the way."""
        engine = engine_for(self.using)
        now = engine.clock.now
        until = now() + engine.deadline
        for fact in facts:
            if policy_of(fact.kind).ordered and not engine.caught_up():
                return None
        # Asked before the attempt: what is missing then may be stored by the time that the refusal is here.
        behind = engine.backlog > 0
        for last in (False, True):
            try:
                return engine.work(write) if patient else engine.store(write, deadline=until - now())
            except RejectedRecordError as exc:
                error = exc
            # What it refers to may still have been in the journal.
            if last or not isinstance(error, handlers.MissingRowError) or not behind:
                break
            if not engine.caught_up():
                return None
        for fact in facts:
            self._keep_refused(fact, policy_of(fact.kind), error)
        raise _final(error)

    def _record_batch(self, facts: Sequence[Fact]) -> list[handlers.Verdict]:
        engine = engine_for(self.using)
        policies = [policy_of(fact.kind) for fact in facts]
        behind = engine.backlog > 0  # before the attempt, as in _store
        try:
            verdicts = self.store_many(
                lambda alias: store_batch(facts, using=alias), ordered=any(policy.ordered for policy in policies)
            )
        except RejectedRecordError:
            # Refused as a whole: what no question to the set could find shows one by one.
            return [self._verdict(fact) for fact in facts]
        if verdicts is None:
            return [self._accept(fact).outcome for fact in facts]
        # What they refer to may still have been in the journal; the batch waits for it once.
        missing = behind and any(isinstance(verdict, handlers.MissingRowError) for verdict in verdicts)
        again = self._verdict if missing and engine.caught_up() else lambda fact: self._accept(fact).outcome
        return [
            again(fact)
            if missing and isinstance(verdict, handlers.MissingRowError)
            else self._settled(fact, policy, verdict)
            for fact, policy, verdict in zip(facts, policies, verdicts, strict=True)
        ]

    def _verdict(self, fact: Fact) -> handlers.Verdict:
        try:
            return self.record(fact).outcome
        except RejectedRecordError as exc:
            return exc

    def _settled(self, fact: Fact, policy: KindPolicy, verdict: handlers.Verdict) -> handlers.Verdict:
        """Return the verdict of a batch on one fact, once what follows from a refusal is done."""
        if isinstance(verdict, RejectedRecordError):
            self._keep_refused(fact, policy, verdict)
            return _final(verdict)
        return verdict

    def _keep_refused(self, fact: Fact, policy: KindPolicy, error: RejectedRecordError) -> None:
        if policy.happened:
            self.keep_rejected(fact.kind, {"id": fact.id, **fact.values}, error)

    def _accept(self, fact: Fact) -> Receipt:
        sync = policy_of(fact.kind).synced if self._sync is None else self._sync
        return engine_for(self.using).accept(fact, sync=sync)


def _answers(alias: str) -> bool:
    """Return True; anything else is an error of the database."""
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT 1")
    return True


def _final(error: RejectedRecordError) -> RejectedRecordError:
    """Return the refusal as callers know it: once nothing is waited for, a missing row is wrong data like any other."""
    if not isinstance(error, handlers.MissingRowError):
        return error
    final = RejectedRecordError(error.field, error.value, error.rule)
    final.__cause__ = error
    return final

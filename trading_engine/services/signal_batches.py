"""Signals that were given together: the current ones are the newest batch, and batches are kept whole, by month."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import partial
from typing import Any, Final
from uuid import UUID

from friren.core.ids import natural_id
from friren.core.numbers import plain
from friren.errors import RejectedRecordError
from friren.persistence import checks
from friren.persistence.digest import digest_of
from friren.persistence.facts import make_fact, spec_of
from friren.persistence.reads import newest_first
from friren.persistence.receipts import Receipt, Rows, WriteOutcome
from trading_engine.models import Signal, SignalArchive
from trading_engine.services.base import AccountService

__all__ = ["SignalBatches"]

# More than anyone gives at once; a batch is one row of the archive.
BATCH_SIGNALS_MAX: Final = 10_000


class SignalBatches(AccountService):
    """What `SignalLogger` does with the signals that share a `batch_id`."""

    def current_signals(self, *, limit: int = 100) -> Rows[Any]:
        """
        Return the signals of this account's newest batch; those without a `batch_id` are in none.

        Args:
            limit: rows at most, 1 to 100000.
        """
        signals = Signal.objects.using(self.using).filter(account=self.account.id)
        newest = signals.filter(batch_id__isnull=False).order_by("-timestamp", "-id").values("batch_id")[:1]
        found = newest_first(signals.filter(batch_id=newest), time="timestamp", limit=limit)
        found.next = None
        return found

    def archive_current_signals(self, at: dt.datetime) -> Receipt | None:
        """
        Keep the newest batch as it stands, under the month of its newest signal (UTC). The signals stay where they are.

        Args:
            at: when, aware.

        Returns:
            STORED; DUPLICATE when it is kept already just so; None when there is no batch. DEFERRED while the database
            is away: nothing was kept, call again.

        Raises:
            RejectedRecordError: `at` is no moment, or the batch has more than 10,000 signals.
        """
        self.recorder.refuse_closed()
        moment = checks.check_time("at", at)
        self.recorder.settle()
        found = self.recorder.derive(partial(_newest_batch, self.account.id))
        if found is None:
            unknown = natural_id("signal_archive", self.account.id)
            return Receipt(unknown, WriteOutcome.DEFERRED, synced=False)
        if not found:
            return None
        if len(found) > BATCH_SIGNALS_MAX:
            raise RejectedRecordError("signals", len(found), f"at most {BATCH_SIGNALS_MAX} signals in a batch")
        told = [_shown(signal) for signal in found]
        key = natural_id("signal_archive", self.account.id, found[0].batch_id, digest_of({"signals": told}).hex())
        month = found[0].timestamp.astimezone(dt.UTC)
        return self.recorder.record(
            make_fact(
                SignalArchive,
                id=key,
                account=self.account.id,
                archived_at=moment,
                archive_month=f"{month:%Y-%m}",
                signals_count=len(told),
                signals_data=told,
            )
        )


def _newest_batch(account: UUID, alias: str) -> Sequence[Signal]:
    signals = Signal.objects.using(alias).filter(account=account).order_by("-timestamp", "-id")
    newest = signals.filter(batch_id__isnull=False).values("batch_id")[:1]
    return list(signals.filter(batch_id=newest).select_related("symbol")[: BATCH_SIGNALS_MAX + 1])


def _shown(signal: Signal) -> dict[str, Any]:
    """Return a signal as JSON has it: money as text, times in UTC, what is not said left out."""
    told: dict[str, Any] = {"id": str(signal.id)}
    for name, field in spec_of(Signal).fields.items():
        value = getattr(signal, str(Signal._meta.get_field(name).attname))  # type: ignore[union-attr]  # no relation backwards
        if value is not None and value != field.default:
            told[name] = _plain(value)
    if signal.symbol is not None:
        told["symbol"] = [signal.symbol.ticker, signal.symbol.venue]
    return told


def _plain(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat()
    if isinstance(value, UUID):
        return str(value)
    return plain(value) if hasattr(value, "as_tuple") else value

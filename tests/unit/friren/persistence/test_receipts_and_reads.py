"""What calls give back, and the arguments by which pages are asked for."""

from __future__ import annotations

import datetime as dt
import pickle
from decimal import Decimal
from uuid import UUID

import pytest

from friren.errors import ConfigurationError, RejectedRecordError
from friren.persistence.reads import PAGE_ROWS_MAX, check_limit, newest_first, row_type
from friren.persistence.receipts import BulkReceipt, Receipt, Rows, WriteOutcome
from friren.persistence.recorder import Recorder
from tests.bad_values import KINDS
from trading_engine.models import Trade

NOON = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)


def test_outcomes_are_the_four_of_the_contract_what_follows_later_and_telemetry_that_nothing_could_take() -> None:
    contract = ["STORED", "DUPLICATE", "JOURNALED", "BUFFERED"]
    assert [outcome.value for outcome in WriteOutcome] == [*contract, "DEFERRED", "LOST"]
    assert f"{WriteOutcome.STORED}" == "STORED"


def test_receipts_stand_and_compare_by_value() -> None:
    receipt = Receipt(UUID(int=1), WriteOutcome.STORED)

    assert receipt == Receipt(UUID(int=1), WriteOutcome.STORED)
    assert pickle.loads(pickle.dumps(receipt)) == receipt
    with pytest.raises(AttributeError):
        receipt.outcome = WriteOutcome.DUPLICATE


def test_bulk_receipts_share_no_list() -> None:
    one, other = BulkReceipt(), BulkReceipt()
    one.rejected.append((0, RejectedRecordError()))

    assert other.rejected == []


def test_rows_are_a_list_with_how_fresh_it_is() -> None:
    rows = Rows([1, 2], as_of=NOON, next=(NOON, UUID(int=1)))

    assert (list(rows), len(rows), rows[0], bool(Rows(as_of=None))) == ([1, 2], 2, 1, False)
    assert (rows.as_of, rows.stale, rows.next) == (NOON, False, (NOON, UUID(int=1)))
    assert Rows(as_of=None, stale=True).stale


def test_a_row_has_the_fields_of_its_model_in_plain_types() -> None:
    fields = row_type(Trade).__annotations__

    assert (fields["price"], fields["executed_at"], fields["symbol"]) == (Decimal, dt.datetime, str | None)
    assert (fields["account"], fields["tags"], fields["commission"]) == (UUID, list[str], Decimal | None)
    assert {"digest", "recorded_seq", "producer"}.isdisjoint(fields)
    assert row_type(Trade) is row_type(Trade)


@pytest.mark.parametrize("limit", [1, PAGE_ROWS_MAX])
def test_a_page_has_a_size(limit) -> None:
    assert check_limit(limit) == limit


def test_bad_bounds_of_a_page_are_refused_before_the_database_is_asked() -> None:
    for name, kind in (("start", "time"), ("end", "time"), ("limit", "limit"), ("after", "page")):
        for value in KINDS[kind]:
            with pytest.raises(RejectedRecordError) as caught:
                newest_first(Trade.objects.all(), time="executed_at", **{name: value})
            assert caught.value.field == name


@pytest.mark.parametrize("mode", ["Direct", "", None, "no such mode"])
def test_an_unknown_mode_is_a_mistake_of_the_configuration(mode) -> None:
    with pytest.raises(ConfigurationError, match="mode="):
        Recorder(mode=mode)


def test_what_is_committed_is_flushed() -> None:
    recorder = Recorder()

    assert recorder.flush(timeout=0) is True
    with pytest.raises(RejectedRecordError):
        recorder.flush(timeout=float("nan"))


def test_a_closed_recorder_refuses() -> None:
    recorder = Recorder()
    recorder.refuse_closed()
    recorder.close()
    recorder.close()

    for call in (lambda: recorder.record(None), lambda: recorder.record_all([]), recorder.refuse_closed):
        with pytest.raises(RuntimeError, match="closed"):
            call()

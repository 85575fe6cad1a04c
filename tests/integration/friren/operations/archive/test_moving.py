"""Old rows go to the archive and come back as they were; what others need stays, and nobody else gets in."""

from __future__ import annotations

import datetime as dt
import threading

import pytest
from django.db import DatabaseError, connection, connections, transaction

import friren
from friren.core.ids import new_id
from friren.core.models import AuditLog
from friren.errors import ArchiveError
from friren.operations import audit
from friren.operations.archive import moving, runs, service
from friren.operations.archive.door import held
from friren.operations.archive.policies import named_policy, policies
from friren.operations.archive.service import archive, unarchive, unarchive_run
from friren.operations.models import ArchiveRun
from portfolio_manager.models import TradeIdea
from tests.factories import (
    MONDAY,
    DecisionHistoryFactory,
    IdeaOutcomeFactory,
    ModelPredictionFactory,
    OrderFactory,
    SentimentDataFactory,
    SignalFactory,
    TradeFactory,
    TradeIdeaFactory,
    TradeSentimentFactory,
)
from tests.integration.friren.operations.archive.conftest import LATER, archived, fill, live, names, rows_of
from trading_engine.models import Signal
from trading_engine.services import SignalLogger

DAY = dt.timedelta(days=1)


def forge(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize("name", names())
def test_rows_of_every_table_go_and_come_back_as_they_were(name) -> None:
    fill(named_policy(name), 3)
    before = live(name)

    (gone,) = archive([name], now=LATER, older_than=LATER)

    assert (gone.rows, gone.kept) == (3, 0)
    assert (live(name), archived(name)) == ([], before)
    (back,) = unarchive([name], until=LATER)
    assert (back.rows, back.digest) == (3, gone.digest)
    assert (live(name), archived(name)) == (before, [])


@pytest.mark.parametrize("name", [policy.name for policy in policies() if policy.days])
def test_by_its_own_age_a_row_goes_the_day_after_and_not_the_day_before(name) -> None:
    policy = named_policy(name)
    first, *_ = fill(policy, 1)
    moment = getattr(first, policy.time)

    archive([name], now=moment + DAY * (policy.days - 1))
    assert (len(live(name)), len(archived(name))) == (1, 0)
    archive([name], now=moment + DAY * policy.days)
    assert len(archived(name)) == 0, "exactly as old is not older"
    archive([name], now=moment + DAY * (policy.days + 1))
    assert (len(live(name)), len(archived(name))) == (0, 1)


def test_what_has_no_age_of_its_own_goes_only_when_it_is_asked_for() -> None:
    fill(named_policy("Price"))

    assert "trading_engine_price" not in {one.table for one in archive(now=LATER)}
    assert archive(["Price"], now=LATER, older_than=LATER)[0].rows == 3


def test_what_others_refer_to_stays_until_they_let_it_go() -> None:
    linked, _free = TradeSentimentFactory().sentiment, SentimentDataFactory()
    ordered = SignalFactory()
    OrderFactory(signal=ordered.id, account=ordered.account_id, symbol=ordered.symbol)
    executed = SignalFactory()
    trade = TradeFactory(account=executed.account_id, symbol=executed.symbol)
    SignalLogger(_handle(executed.account)).mark_executed(executed, trade)
    ModelPredictionFactory()  # nobody knows yet what came of it

    done = {one.table: (one.rows, one.kept) for one in archive(now=LATER, older_than=LATER)}

    assert done["trading_engine_sentimentdata"] == (1, 1)
    assert done["trading_engine_signal"] == (0, 2)
    assert done["trading_engine_modelprediction"] == (0, 1)
    assert str(linked.id) in live("SentimentData")[0]


class TestIdeas:
    """Decisions go by their own age; ideas once nobody decides about them any more, and their decisions have gone."""

    def test_that_have_ended_go_with_what_was_decided(self) -> None:
        decided = DecisionHistoryFactory(trade_idea__proposed_at=MONDAY, occurred_at=MONDAY)
        IdeaOutcomeFactory(trade_idea=decided.trade_idea, due_at=MONDAY)
        TradeIdea.objects.update(status="rejected")

        archive(now=MONDAY + 89 * DAY)
        assert (len(live("DecisionHistory")), len(live("TradeIdea")), len(live("IdeaOutcome"))) == (1, 1, 1)
        done = {one.table: one.rows for one in archive(now=MONDAY + 91 * DAY)}

        tables = [f"portfolio_manager_{name}" for name in ("decisionhistory", "ideaoutcome", "tradeidea")]
        assert [done[table] for table in tables] == [1, 1, 1]
        back = ["TradeIdea", "DecisionHistory", "IdeaOutcome"]
        assert sum(one.rows for one in unarchive(back, until=LATER)) == 3

    def test_come_back_before_what_was_decided_about_them(self) -> None:
        DecisionHistoryFactory()
        TradeIdea.objects.update(status="rejected")
        archive(now=LATER, older_than=LATER)

        with pytest.raises(ArchiveError, match=r"refuses to move a row: .* is not present in table"):
            unarchive(["DecisionHistory"], until=LATER)

        assert (len(archived("DecisionHistory")), len(archived("TradeIdea"))) == (1, 1)

    def test_that_are_active_stay_with_what_was_decided(self) -> None:
        DecisionHistoryFactory()

        done = {one.table: (one.rows, one.kept) for one in archive(now=LATER, older_than=LATER)}

        assert done["portfolio_manager_decisionhistory"] == (0, 1)
        assert done["portfolio_manager_tradeidea"] == (0, 1)

    def test_with_a_young_decision_stay_with_their_outcome(self) -> None:
        decided = DecisionHistoryFactory(trade_idea__proposed_at=MONDAY, occurred_at=MONDAY + 200 * DAY)
        IdeaOutcomeFactory(trade_idea=decided.trade_idea, due_at=MONDAY)
        TradeIdea.objects.update(status="rejected")

        assert sum(one.rows for one in archive(now=MONDAY + 210 * DAY)) == 0

    @pytest.mark.parametrize(("status", "rows"), [("submitted", 0), ("filled", 1)])
    def test_that_were_executed_wait_for_the_end_of_their_order(self, status, rows) -> None:
        idea = TradeIdeaFactory()
        order = OrderFactory(account=idea.account_id, symbol=idea.symbol)
        forge(f"UPDATE trading_engine_order SET status = '{status}' WHERE id = '{order.id}'")
        TradeIdea.objects.update(status="auto_executed", order=order)

        assert archive(["TradeIdea"], now=LATER, older_than=LATER)[0].rows == rows

    def test_whose_decisions_were_archived_have_the_status_that_these_tell_of(self) -> None:
        DecisionHistoryFactory(action="risk_rejected", to_status="rejected")
        assert archive(["DecisionHistory"], now=LATER, older_than=LATER)[0].rows == 1
        audit.seal()

        assert audit.verify().ok


def test_counting_changes_nothing() -> None:
    fill(named_policy("Signal"))
    SentimentDataFactory()

    found = {one.table: one.rows for one in archive(now=LATER, older_than=LATER, dry_run=True)}

    assert found["trading_engine_signal"] == 3
    assert found["trading_engine_sentimentdata"] == 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regnamespace('archive') IS NULL")
        assert cursor.fetchone()[0]
    assert not ArchiveRun.objects.exists()


def test_a_run_is_noted_and_audited() -> None:
    signals = fill(named_policy("Signal"), 4)
    seqs = sorted(signal.recorded_seq for signal in signals)

    (gone,) = archive(["Signal"], now=LATER, older_than=LATER)

    run = ArchiveRun.objects.get(id=gone.run)
    assert (run.status, run.direction, run.target, run.rows_copied, run.rows_deleted) == (
        "COMPLETED", "ARCHIVE", "TABLE", 4, 4,
    )  # fmt: skip
    assert (run.first_seq, run.last_seq, int(run.rows_digest)) == (seqs[0], seqs[-1], gone.digest)
    told = AuditLog.objects.filter(action="ARCHIVE", object_pk=f"run {run.id}").order_by("recorded_seq")
    assert [entry.after["status"] for entry in told] == ["RUNNING", "COMPLETED"]
    assert told[1].after["rows"] == 4


def test_many_batches_are_one_run(monkeypatch) -> None:
    monkeypatch.setattr(moving, "BATCH_BLOCKS", 1)
    template = SignalFactory()
    columns = (
        "digest, account_id, kind, timestamp, symbol_id, signal_type, market_question, strategy_name, event_title, "
    )
    columns += "processed, executed, extra"
    forge(
        f"INSERT INTO trading_engine_signal (id, reasoning, {columns}) "
        f"SELECT gen_random_uuid(), repeat('x', 1000), {columns} FROM trading_engine_signal, generate_series(1, 50) "
        f"WHERE id = '{template.id}'"
    )

    (gone,) = archive(["Signal"], now=LATER, older_than=LATER)

    assert gone.rows == 51
    assert ArchiveRun.objects.count() == 1
    assert ArchiveRun.objects.get().rows_copied == 51


def test_a_run_can_be_taken_back_by_its_number() -> None:
    old = SignalFactory(timestamp=MONDAY - 400 * DAY)
    archive(["Signal"], now=LATER, older_than=MONDAY - 100 * DAY)
    new = SignalFactory()
    (second,) = archive(["Signal"], now=LATER, older_than=LATER)

    unarchive_run(second.run)

    assert [str(new.id) in row for row in live("Signal")] == [True]
    assert [str(old.id) in row for row in archived("Signal")] == [True]
    with pytest.raises(ArchiveError, match="there is no such run"):
        unarchive_run(10_000)
    with pytest.raises(ArchiveError, match="did not move rows to the archive"):
        unarchive_run(ArchiveRun.objects.order_by("-id").first().id)


def test_a_range_of_time_comes_back() -> None:
    for days in (0, 40, 80):
        SignalFactory(timestamp=MONDAY + days * DAY)
    archive(["Signal"], now=LATER, older_than=LATER)

    (back,) = unarchive(["Signal"], since=MONDAY + 30 * DAY, until=MONDAY + 50 * DAY)

    assert back.rows == 1
    assert [signal.timestamp for signal in Signal.objects.all()] == [MONDAY + 40 * DAY]


@pytest.mark.parametrize("name", ["AccountState", "corporateaction", "portfolio_manager.PeriodCheckpoint"])
def test_what_the_books_are_read_by_stays_and_says_so(name) -> None:
    with pytest.raises(ArchiveError, match="is not archived: few rows, and the books are read by them"):
        archive([name], now=LATER, older_than=LATER)


def test_a_name_that_nothing_has_is_told_what_there_is() -> None:
    with pytest.raises(ArchiveError, match=r"nothing of that name is archived; there are .*Price.*Signal"):
        archive(["Signals"], now=LATER, older_than=LATER)


class TestTheDoor:
    """Facts are as they were for everybody else."""

    @pytest.fixture(autouse=True)
    def _filled(self) -> None:
        fill(named_policy("Signal"), 2)
        archive(["Signal"], now=LATER, older_than=LATER)
        fill(named_policy("Signal"), 1)

    @pytest.mark.parametrize(
        "statement",
        [
            "DELETE FROM trading_engine_signal",
            "TRUNCATE trading_engine_signal CASCADE",
            "DELETE FROM archive.trading_engine_signal",
            "UPDATE archive.trading_engine_signal SET reasoning = 'x'",
            "INSERT INTO archive.trading_engine_signal SELECT * FROM trading_engine_signal",
            "TRUNCATE archive.trading_engine_signal",
            "INSERT INTO archive.friren_cold VALUES (gen_random_uuid(), '', 1, 1)",
        ],
    )
    def test_is_shut_again_after_a_run(self, statement) -> None:
        with pytest.raises(DatabaseError, match=r"Cannot|moved by `manage.py archive`"):
            forge(statement)

    def test_is_shut_inside_of_a_transaction_too(self) -> None:
        with transaction.atomic(), pytest.raises(DatabaseError, match="Cannot delete"):
            forge("DELETE FROM trading_engine_signal")


def test_seals_hold_over_the_archive_and_a_forged_row_is_found_there() -> None:
    signals = fill(named_policy("Signal"), 4)
    audit.seal()
    archive(["Signal"], now=LATER, older_than=LATER)
    assert audit.verify().ok
    audit.seal()

    forge("ALTER TABLE archive.trading_engine_signal DISABLE TRIGGER USER")
    forge(f"UPDATE archive.trading_engine_signal SET reasoning = 'other' WHERE id = '{signals[2].id}'")

    found = audit.verify().first_bad
    assert (found.id, found.column) == (str(signals[2].id), "reasoning")


def test_two_runs_of_one_table_do_not_meet() -> None:
    fill(named_policy("Signal"))
    answers = []

    def other() -> None:
        try:
            archive(["Signal"], now=LATER, older_than=LATER)
        except ArchiveError as exc:
            answers.append(str(exc))
        finally:
            connections.close_all()

    with held(named_policy("Signal"), "default"):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()

    assert answers == ["trading_engine_signal is being archived or brought back by another process"]
    assert archive(["Signal"], now=LATER, older_than=LATER)[0].rows == 3


def test_a_run_that_ended_before_it_was_done_is_put_in_order_by_the_next(monkeypatch) -> None:
    fill(named_policy("Signal"))
    with monkeypatch.context() as patched:
        patched.setattr(runs, "complete", _cut_off)
        with pytest.raises(KeyboardInterrupt):
            archive(["Signal"], now=LATER, older_than=LATER)
    fill(named_policy("Signal"), 2)

    archive(["Signal"], now=LATER, older_than=LATER)

    assert list(ArchiveRun.objects.order_by("id").values_list("status", "rows_copied")) == [
        ("FAILED", 3),
        ("COMPLETED", 2),
    ]
    assert len(archived("Signal")) == 5


def _cut_off(*_arguments) -> None:
    raise KeyboardInterrupt


def test_a_row_that_somebody_is_working_with_stays_for_the_next_time() -> None:
    first, _second = fill(named_policy("Signal"), 2)
    ready, done = threading.Event(), threading.Event()

    def worker() -> None:
        with transaction.atomic():
            Signal.objects.select_for_update().get(id=first.id)
            ready.set()
            done.wait()
        connections.close_all()

    thread = threading.Thread(target=worker)
    thread.start()
    ready.wait()
    try:
        (gone,) = archive(["Signal"], now=LATER, older_than=LATER)
    finally:
        done.set()
        thread.join()

    assert (gone.rows, gone.kept) == (1, 1)
    assert archive(["Signal"], now=LATER, older_than=LATER)[0].rows == 1


def test_a_row_that_is_referred_to_in_the_last_moment_stays(monkeypatch) -> None:
    signal, *_ = fill(named_policy("Signal"), 2)
    really, left = service.move, [1]

    def late(*arguments):
        # The question was asked before, the order committed since.
        if left[0]:
            left[0] -= 1
            answer = really(*arguments)
            thread = threading.Thread(target=_order_for, args=(signal,))
            thread.start()
            thread.join(0.3)  # it waits for the row
            waiting.append(thread)
            return answer
        return really(*arguments)

    waiting: list[threading.Thread] = []
    monkeypatch.setattr(service, "move", late)
    archive(["Signal"], now=LATER, older_than=LATER)
    waiting[0].join()

    assert len(live("Signal")) + len(archived("Signal")) == 2
    assert not set(live("Signal")) & set(archived("Signal"))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM trading_engine_order o "
            "WHERE NOT EXISTS (SELECT FROM trading_engine_signal s WHERE s.id = o.signal_id)"
        )
        assert cursor.fetchone() == (0,)


def _order_for(signal) -> None:
    try:
        with transaction.atomic():
            OrderFactory._meta.model.objects.create(
                id=new_id(), digest=b"0" * 16, account_id=signal.account_id, symbol_id=signal.symbol_id, action="buy",
                quantity=1, requested_at=MONDAY, signal_id=signal.id,
            )  # fmt: skip
    except DatabaseError:
        pass  # the signal has gone: nobody can refer to it any more
    finally:
        connections.close_all()


def test_nothing_lies_twice_while_writers_are_at_it() -> None:
    """Old and new signals are told, again and again, while rows are moved to and fro."""
    account = SignalFactory().account
    told = [
        {"signal_id": new_id(), "symbol": "AAPL", "signal_type": "BUY", "timestamp": MONDAY + DAY * (number % 30)}
        for number in range(60)
    ]
    stop, errors = threading.Event(), []

    def writer(offset: int) -> None:
        logger = SignalLogger(_handle(account))
        try:
            while not stop.is_set():
                for signal in told[offset:] + told[:offset]:
                    logger.log_signal(**signal)
                logger.bulk_log(told[:20])
        except Exception as exc:  # noqa: BLE001 - told by the test
            errors.append(exc)
        finally:
            logger.close()
            connections.close_all()

    threads = [threading.Thread(target=writer, args=(offset,)) for offset in (0, 30)]
    for thread in threads:
        thread.start()
    for _ in range(6):
        archive(["Signal"], now=LATER, older_than=MONDAY + 20 * DAY)
        unarchive(["Signal"], until=MONDAY + 10 * DAY)
    stop.set()
    for thread in threads:
        thread.join()

    assert errors == []
    here, there = rows_of("trading_engine_signal"), rows_of("archive.trading_engine_signal")
    keys = [row.partition(",")[0] for row in here + there]
    assert len(keys) == len(set(keys)) == 61


def _handle(account):
    return friren.open_account(account.name, owner=account.owner.username)

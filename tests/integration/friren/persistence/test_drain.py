"""What lies in a journal ends in the database exactly once, or among the dead letters, and is counted."""

from __future__ import annotations

import threading
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import DatabaseError, OperationalError, connections

from friren.core.ids import new_id
from friren.persistence import cursors, drain, handlers, settings
from friren.persistence.adoption import adopt, drain_together
from friren.persistence.batches import apply_batch
from friren.persistence.codec import encode
from friren.persistence.drain import Drained, Drainer
from friren.persistence.facts import Fact, make_fact
from friren.persistence.journal import Address, Journal, journals_of
from tests import postgres
from trading_engine.models import Order, OrderStatusEvent, Symbol, Trade

from .journals import assert_identity, counts_of, cursor_of, here, journal_of, letters, order, trade, write


def test_stores_everything_once(root, book) -> None:
    facts = [trade(book, number) for number in range(250)]
    journal = journal_of(root, facts)
    assert Drainer(journal, batch_rows=100).drain_all() == Drained(stored=250)
    assert Drainer(journal).drain_all() == Drained()
    stored = {row.id: row for row in Trade.objects.all()}
    assert {fact.id: fact.digest for fact in facts} == {key: bytes(row.digest) for key, row in stored.items()}
    assert {row.producer for row in stored.values()} == {journal.producer}
    assert counts_of(journal) == (250, 0, 0)
    assert_identity(root, journal)


def test_a_row_that_came_by_batch_is_the_row_that_comes_by_itself(root, book) -> None:
    changes = {
        "venue": "IBKR", "external_id": "77", "tags": ["a", 'b"c', "d,{}\\"], "extra": {"é": [1, 2.5, None, "x"]},
        "leverage": Decimal("2.5"), "received_at": trade(book).values["executed_at"], "round_trip": uuid4(),
        "quantity": Decimal("0.000000000000000001"), "price": Decimal("-37.63"), "sentiment_score": -0.25,
        "expected_price": Decimal("99999999999999999999.999999999999999999"), "reasoning": "naïve – 日本 \U0001f4b9",
    }  # fmt: skip
    alone = trade(book, 1, trade_id=new_id(), **changes)
    handlers.apply(alone, using="default")
    batch = Fact(kind="trade", id=new_id(), values={**alone.values, "external_id": "78"})
    Drainer(journal_of(root, [batch])).drain_all()
    differing = {"id", "digest", "recorded_seq", "producer", "created_at", "external_id"}
    rows = [
        {name: value for name, value in row.items() if name not in differing}
        for row in Trade.objects.order_by("external_id").values()
    ]
    assert rows[0] == rows[1]
    assert bytes(Trade.objects.get(id=batch.id).digest) == batch.digest


def test_what_is_stored_already_is_a_duplicate(root, book) -> None:
    facts = [trade(book, number) for number in range(10)]
    for fact in facts[::2]:
        handlers.apply(fact, using="default")
    journal = journal_of(root, [*facts, *facts])
    assert Drainer(journal).drain_all() == Drained(stored=5, duplicates=15)
    assert Trade.objects.count() == 10


def test_one_bad_record_of_5000_costs_itself_alone(root, book) -> None:
    facts = [trade(book, number) for number in range(5000)]
    bad = Fact(kind="trade", id=facts[1234].id, values={**facts[1234].values, "quantity": Decimal(-5)})
    facts[1234] = bad
    journal = journal_of(root, facts)
    assert Drainer(journal, batch_rows=5000).drain_once() == Drained(stored=4999, dead_lettered=1)
    [letter] = letters()
    assert (letter.seq, letter.fact_id, letter.kind, letter.account_id) == (1235, bad.id, "trade", book.id)
    assert letter.error_class == "RejectedRecordError"
    assert letter.error == "quantity=Decimal('-5'): must be more than 0 and less than 100000000000000000000"
    assert bytes(letter.payload) == encode(bad)
    assert_identity(root, journal)


def test_every_kind_of_bad_record_is_told_apart_in_one_batch(root, book, monkeypatch) -> None:
    monkeypatch.setattr(settings, "PARENT_WAIT_SECONDS", 0.0)
    known = trade(book, 1, venue="IBKR", external_id="1")
    handlers.apply(known, using="default")
    good = [trade(book, number) for number in range(2, 6)]
    base = good[0].values
    changed = trade(book, 9, trade_id=known.id)
    cases = {
        "none": Fact(kind="trade", id=new_id(), values={**base, "price": Decimal("NaN")}),
        "rule": Fact(kind="trade", id=new_id(), values={**base, "action": "hold"}),
        "shape": Fact(kind="trade", id=new_id(), values={**base, "action": "buy_yes"}),
        "required": Fact(kind="trade", id=new_id(), values={k: v for k, v in base.items() if k != "quantity"}),
        "reused": Fact(kind="trade", id=known.id, values=changed.values),
        "external": Fact(kind="trade", id=new_id(), values={**base, "venue": "IBKR", "external_id": "1"}),
        "parent": Fact(kind="trade", id=new_id(), values={**base, "order": uuid4()}),
        "corrects": Fact(kind="trade", id=new_id(), values={**base, "corrects": uuid4()}),
    }
    cases["nul"] = Fact(kind="trade", id=new_id(), values={**base, "reasoning": "a\0b"})
    again = Fact(kind="trade", id=new_id(), values=known.values)  # the same fill under another id of ours
    follower = Fact(kind="trade", id=new_id(), values={**base, "corrects": good[1].id})
    journal = journal_of(root, [*cases.values(), *good, again, follower])
    done = Drainer(journal).drain_all()
    assert {letter.fact_id: (letter.error_class, letter.error.split("=")[0]) for letter in letters()} == {
        cases["none"].id: ("RejectedRecordError", "price"),
        cases["rule"].id: ("RejectedRecordError", "action"),
        cases["shape"].id: ("RejectedRecordError", "action"),
        cases["required"].id: ("RejectedRecordError", "quantity"),
        cases["reused"].id: ("KeyReusedError", "id"),
        cases["external"].id: ("KeyReusedError", "external_id"),
        cases["parent"].id: ("MissingRowError", "order"),
        cases["corrects"].id: ("MissingRowError", "corrects"),
        cases["nul"].id: ("RejectedRecordError", "reasoning"),
    }
    assert done == Drained(stored=5, duplicates=1, dead_lettered=9)
    assert_identity(root, journal)


def test_a_fact_of_closed_books_is_a_dead_letter(root, book) -> None:
    with connections["default"].cursor() as cursor:
        cursor.execute("UPDATE core_account SET closed_until = '2024-01-08 14:30:05+00' WHERE id = %s", [book.id])
    journal = journal_of(root, [trade(book, number) for number in range(10)])
    assert Drainer(journal).drain_all() == Drained(stored=5, dead_lettered=5)
    assert {(letter.error_class, letter.error.split("=")[0]) for letter in letters()} == {
        ("PeriodClosedError", "executed_at")
    }


def test_bytes_that_are_no_fact_stop_nothing(root, book) -> None:
    journal = journal_of(root, [trade(book, 1)])
    for payload in (b"", b"\x00", b"[]", b'{"v":1,"kind":"dragon","id":"%s","values":{}}' % str(uuid4()).encode()):
        journal.append(payload, sync=False)
    journal.append(encode(trade(book, 2)).replace(b'"10"', b'"ten"'), sync=False)
    journal.append(encode(trade(book, 3)).replace(b'"v":1', b'"v":99'), sync=False)
    write(journal, [trade(book, 4)])
    assert Drainer(journal).drain_all() == Drained(stored=2, dead_lettered=6)
    assert [letter.seq for letter in letters()] == [2, 3, 4, 5, 6, 7]
    assert_identity(root, journal)


def test_damage_is_a_dead_letter_and_is_counted_exactly(root, book) -> None:
    journal = journal_of(root, [trade(book, number) for number in range(300)], segment_bytes=20_000)
    segments = sorted(journal.directory.glob("*.seg"))
    data = bytearray(segments[0].read_bytes())
    data[data.index(b"SYM3")] ^= 1
    segments[0].write_bytes(data)
    lost = int(segments[3].stem) - int(segments[2].stem)
    segments[2].unlink()
    assert Drainer(journal).drain_all() == Drained(stored=299 - lost, dead_lettered=lost + 1)
    assert [letter.error_class for letter in letters()] == ["UnreadableRecordError"] * 2
    assert bytes(letters()[0].payload).startswith(b'{"v":1')
    assert len(list((journal.directory / "damaged").iterdir())) == 1
    assert_identity(root, journal)


def test_parents_and_children_of_one_batch_need_no_order(root, book) -> None:
    parent = order(book)
    child = trade(book, 1, symbol="AAPL", order=parent.id)
    journal = journal_of(root, [child, parent])
    assert Drainer(journal).drain_once() == Drained(stored=2)
    assert Trade.objects.get().order_id == parent.id


def test_a_child_waits_for_a_parent_that_is_still_in_another_journal(root, book) -> None:
    parent = order(book)
    child, other = trade(book, 1, symbol="AAPL", order=parent.id), trade(book, 2)
    second = journal_of(root, [other, child, trade(book, 3)])
    drainer = Drainer(second)
    assert drainer.drain_once() == Drained(stored=1, remaining=2, waiting=1)
    assert drainer.drain_once() == Drained(remaining=2, waiting=1)
    assert_identity(root, second, backlog=2)
    assert not letters()
    first = journal_of(root, [parent])
    assert Drainer(first).drain_once() == Drained(stored=1)
    assert drainer.drain_once() == Drained(stored=2)
    assert_identity(root, second)


def test_journals_drained_together_give_one_another_their_parents(root, book) -> None:
    parent = order(book)
    second = journal_of(root, [trade(book, 1, symbol="AAPL", order=parent.id)])
    first = journal_of(root, [parent])
    second.close()
    first.close()
    assert drain_together(journals_of(root, here())[::-1], using="default") == Drained(stored=2)
    assert drain_together(journals_of(root, here()), using="default") == Drained()


def test_a_parent_that_never_comes_is_waited_for_once(root, book, monkeypatch) -> None:
    missing = uuid4()
    journal = journal_of(root, [trade(book, number, order=missing) for number in range(30)])
    drainer = Drainer(journal, batch_rows=10)
    assert drainer.drain_once() == Drained(remaining=30, waiting=10)
    monkeypatch.setattr(settings, "PARENT_WAIT_SECONDS", 0.0)
    assert drainer.drain_all() == Drained(dead_lettered=30)
    assert {letter.error for letter in letters()} == {f"order={missing!r}: refers to a row that is not stored"}


def test_moves_of_one_order_are_made_in_their_order(root, book) -> None:
    parent = order(book)
    moves = [
        make_fact(
            OrderStatusEvent,
            account=book.id,
            order=parent.id,
            to_status=status,
            occurred_at=parent.values["requested_at"],
        )
        for status in ("submitted", "partially_filled", "partially_filled", "filled", "cancelled")
    ]
    journal = journal_of(root, [parent, *moves])
    assert Drainer(journal).drain_all() == Drained(stored=4, duplicates=1, dead_lettered=1)
    assert Order.objects.get().status == "filled"
    assert [letter.error_class for letter in letters()] == ["InvalidTransitionError"]
    # The same moves once more, from a journal written when it was not known whether they had been stored.
    again = journal_of(root, [parent, *moves[:2], moves[3]])
    assert Drainer(again).drain_all() == Drained(duplicates=4)


def test_an_account_opened_in_an_outage_stands_before_what_is_recorded_in_it(root) -> None:
    from friren.accounts import AccountHandle
    from friren.core.models import Account

    key = Account.id_of(owner="system", name="euro book")
    values = {
        "name": "euro book", "owner": "system", "environment": "PAPER", "base_currency": "EUR",
        "cost_basis": "AVERAGE", "position_mode": "NETTING", "timezone": "UTC",
    }  # fmt: skip
    handle = AccountHandle(id=key, **values)
    journal = journal_of(root, [Fact(kind="account", id=key, values=values), trade(handle, 1, symbol="SAP")])
    assert Drainer(journal).drain_all() == Drained(stored=2)
    assert Symbol.objects.get(ticker="SAP").currency == "EUR"


def test_a_second_drainer_is_fenced_and_goes_on_from_where_the_first_stands(root, book, monkeypatch) -> None:
    journal = journal_of(root, [trade(book, number) for number in range(100)])
    first, second = Drainer(journal, batch_rows=50), Drainer(journal, batch_rows=50)
    really, turns = drain.apply_batch, iter([True])

    def overtaken(facts, **options):
        if next(turns, False):
            worker = threading.Thread(target=in_a_thread(second.drain_once))
            worker.start()
            worker.join(0.5)  # it waits for the cursor that this transaction holds
            assert worker.is_alive()
            workers.append(worker)
        return really(facts, **options)

    workers: list[threading.Thread] = []
    results: list[Drained] = []

    def in_a_thread(work):
        def run() -> None:
            try:
                results.append(work())
            finally:
                connections.close_all()

        return run

    monkeypatch.setattr(drain, "apply_batch", overtaken)
    assert first.drain_once() == Drained(stored=50, remaining=50)
    workers[0].join()
    assert results == [Drained(remaining=50)]  # fenced: nothing of its batch was counted
    assert second.drain_once() == Drained(stored=50)
    assert first.drain_all() == Drained()
    assert counts_of(journal) == (100, 0, 0)


def test_a_drainer_that_cannot_have_the_cursor_in_time_comes_back(root, book) -> None:
    journal = journal_of(root, [trade(book, 1)])
    drainer = Drainer(journal)
    cursors.read_cursor(journal.producer, label="", using="default")
    with postgres.admin_connection(connections.settings["default"]["NAME"]) as other, other.transaction():
        other.execute("SELECT FROM persistence_journalcursor FOR UPDATE")
        assert drainer.drain_once() == Drained(remaining=1)
    assert drainer.drain_once() == Drained(stored=1)


def test_a_batch_whose_commit_is_unknown_is_neither_lost_nor_counted_twice(root, book, monkeypatch) -> None:
    journal = journal_of(root, [trade(book, number) for number in range(20)])
    drainer = Drainer(journal)
    really = drainer._note

    def fails_after_the_commit(seq):
        if Trade.objects.exists():
            monkeypatch.undo()
            raise OperationalError("the connection broke while the answer was on its way")
        really(seq)

    monkeypatch.setattr(drainer, "_note", fails_after_the_commit)
    with pytest.raises(DatabaseError):
        drainer.drain_once()
    assert drainer.drain_all() == Drained()
    assert counts_of(journal) == (20, 0, 0)


def test_a_refusal_nobody_can_explain_costs_one_record_and_not_its_batch(root, book, monkeypatch) -> None:
    facts = [trade(book, number) for number in range(16)]
    journal = journal_of(root, facts)
    really = drain.apply_batch

    def refuses(batch, **options):
        if facts[5].id in {fact.id for fact in batch}:
            from psycopg.errors import CheckViolation

            raise DatabaseError("inexplicable") from CheckViolation("inexplicable")
        return really(batch, **options)

    monkeypatch.setattr(drain, "apply_batch", refuses)
    assert Drainer(journal).drain_all() == Drained(stored=15, dead_lettered=1)
    assert [letter.fact_id for letter in letters()] == [facts[5].id]


def test_what_a_dead_process_left_is_adopted_once(root, book) -> None:
    left = journal_of(root, [trade(book, number) for number in range(30)])
    Drainer(left, batch_rows=10).drain_once()
    alive = journal_of(root, [trade(book, 100)])
    left.close()
    adopter = new_id()
    assert adopt(root, here(), adopter=adopter) == Drained(stored=20)
    assert cursor_of(left).adopted_by == adopter
    assert adopt(root, here()) == Drained()
    assert Trade.objects.count() == 30
    alive.close()
    assert adopt(root, here()) == Drained(stored=1)


def test_who_is_told_to_end_while_it_adopts_leaves_the_rest_to_the_next(root, book) -> None:
    for first in (0, 20, 40):
        journal_of(root, [trade(book, number) for number in range(first, first + 20)]).close()
    stored = []

    def ended() -> bool:
        stored.append(Trade.objects.count())
        return stored[-1] > 0

    assert adopt(root, here(), ended=ended).stored == 20
    assert stored == [0, 20, 20]
    assert Trade.objects.count() == 20
    assert adopt(root, here()) == Drained(stored=40)


def test_a_journal_of_another_database_is_left_alone(root, book) -> None:
    elsewhere = Journal(root, Address("db.example", "5432", "trading"))
    write(elsewhere, [trade(book, 1)])
    elsewhere.close()
    assert adopt(root, here()) == Drained()
    assert not Trade.objects.exists()


def test_a_journal_whose_lock_outlives_its_writer_is_adopted_when_its_cursor_stands_still(
    root, book, monkeypatch
) -> None:
    journal = journal_of(root, [trade(book, number) for number in range(3)])  # its lock stays held
    Drainer(journal, batch_rows=1).drain_once()
    assert adopt(root, here()) == Drained()
    monkeypatch.setattr(settings, "ADOPT_IDLE_SECONDS", -1.0)
    assert adopt(root, here()) == Drained(stored=2)


def test_drained_segments_of_the_dead_are_removed_when_their_time_comes(root, book, monkeypatch) -> None:
    journal = journal_of(root, [trade(book, 1)])
    journal.close()
    monkeypatch.setattr(settings, "JOURNAL_KEEP_SECONDS", -1.0)
    assert adopt(root, here()) == Drained(stored=1)
    assert not journal.directory.exists()
    assert counts_of(journal) == (1, 0, 0)


def test_runs_in_a_thread_until_it_is_stopped(root, book) -> None:
    journal = journal_of(root, [trade(book, 1)])
    drainer = Drainer(journal)
    worker = threading.Thread(target=drainer.run)
    worker.start()
    try:
        write(journal, [trade(book, number) for number in range(2, 50)])
        drainer.wake()
        wait_until(lambda: drainer.position == 49)
    finally:
        drainer.stop()
        worker.join(5)
    assert not worker.is_alive()
    assert Trade.objects.count() == 49


def test_waits_trouble_out(root, book, monkeypatch) -> None:
    journal = journal_of(root, [trade(book, 1)])
    drainer, failures = Drainer(journal), iter([OperationalError("gone"), RuntimeError("strange")])
    really = cursors.read_cursor

    def fails_twice(*arguments, **options):
        for failure in failures:
            raise failure
        return really(*arguments, **options)

    monkeypatch.setattr(drain, "read_cursor", fails_twice)
    worker = threading.Thread(target=drainer.run)
    worker.start()
    try:
        wait_until(lambda: drainer.position == 1)
    finally:
        drainer.stop()
        worker.join(5)


def wait_until(condition) -> None:
    for _ in range(500):
        if condition():
            return
        threading.Event().wait(0.02)
    raise AssertionError("it did not happen within 10 s")


def test_apply_batch_answers_in_the_order_asked(book) -> None:
    facts = [trade(book, 1), order(book), trade(book, 2), order(book, symbol="MSFT")]
    with handlers.one_commit("default"):
        assert apply_batch(facts, using="default") == ["STORED"] * 4

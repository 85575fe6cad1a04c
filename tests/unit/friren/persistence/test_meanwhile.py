"""What is got ready while the server is at work: facts of the next batch, records of a journal."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest

from friren.errors import RejectedRecordError
from friren.persistence import bulk
from friren.persistence.ahead import ReadAhead
from friren.persistence.bulk import record_in_batches
from friren.persistence.codec import encode
from friren.persistence.drain import Drained, Drainer
from friren.persistence.facts import make_fact
from friren.persistence.journal import Address, Journal
from friren.persistence.meanwhile import a_little, meanwhile
from friren.persistence.receipts import WriteOutcome
from friren.persistence.settings import DRAIN_BEHIND_ROWS_MAX, READ_AHEAD_ROWS
from trading_engine.models import Trade

ROWS = 100


def fact(number):
    return make_fact(
        Trade, account=uuid.UUID(int=1), symbol=f"S{number % 7}", action="buy", quantity=number + 1, price=10,
        executed_at=dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC),
    )  # fmt: skip


def test_outside_a_wait_there_is_nothing_to_do() -> None:
    done = []
    with meanwhile(lambda: done.append("once")):
        a_little()
    a_little()

    assert done == ["once"]


class Bulk:
    """Facts made of numbers; each batch waits for a server as long as it takes to make a third of the next one."""

    def __init__(self, monkeypatch) -> None:
        monkeypatch.setattr(bulk, "BULK_BATCH_ROWS", 3 * READ_AHEAD_ROWS)
        self.made: list[int] = []
        self.batches: list[tuple[int, int, int]] = []

    def make(self, number):
        self.made.append(number)
        if number % 50 == 49:
            raise RejectedRecordError("number", number, "is not liked")
        return fact(number)

    def record(self, facts):
        before = len(self.made)
        a_little()
        self.batches.append((len(facts), before, len(self.made)))
        return [WriteOutcome.STORED] * len(facts)

    def run(self, told):
        return record_in_batches(told, self.make, self.record, parameters={})


def test_facts_of_a_list_are_made_while_the_server_is_at_those_before(monkeypatch) -> None:
    run = Bulk(monkeypatch)

    receipt = run.run(list(range(400)))

    assert (receipt.stored, [index for index, _ in receipt.rejected]) == (392, [*range(49, 400, 50)])
    assert [(before, after) for _, before, after in run.batches] == [(192, 256), (384, 400), (400, 400)]
    assert run.made == list(range(400))


def test_no_batch_waits_for_what_a_generator_has_yet_to_say(monkeypatch) -> None:
    run = Bulk(monkeypatch)

    assert run.run(iter(range(400))).stored == 392
    assert [(before, after) for _, before, after in run.batches] == [(192, 192), (384, 384), (400, 400)]


def test_what_goes_wrong_ahead_is_raised_behind_the_batch_that_was_under_way(monkeypatch) -> None:
    run = Bulk(monkeypatch)
    told = [*range(200), "no number", *range(201, 400)]

    with pytest.raises(TypeError):
        run.run(told)

    assert [size for size, _, _ in run.batches] == [192 - 3]  # the first batch, but for what was refused


@pytest.fixture
def journal(tmp_path):
    journal = Journal(tmp_path / "journal", Address(host="db.example", port="5432", name="trading"))
    yield journal
    journal.close()


def append(journal, count) -> None:
    for number in range(count):
        journal.append(encode(fact(number)), sync=False)


def numbers(letters):
    assert all(letter.fact is not None and letter.error is None for letter in letters)
    return [letter.seq for letter in letters]


@pytest.mark.parametrize("times", [0, 1, 2, 9])
def test_records_are_the_same_however_much_of_them_was_got_ready(journal, times) -> None:
    append(journal, 3 * ROWS)
    ahead = ReadAhead(journal)

    first = ahead.take(1, ROWS)
    for _ in range(times):
        ahead.get_ready(ROWS + 1, ROWS)
    second = ahead.take(ROWS + 1, ROWS)

    assert numbers(first) + numbers(second) == list(range(1, 2 * ROWS + 1))
    assert [letter.fact.values["quantity"] for letter in second[:2]] == [ROWS + 1, ROWS + 2]


def test_a_batch_that_is_not_full_waits_for_what_is_still_written(journal) -> None:
    append(journal, ROWS + 10)
    ahead = ReadAhead(journal)

    ahead.get_ready(ROWS + 1, ROWS)
    append(journal, 5)

    assert numbers(ahead.take(ROWS + 1, ROWS)) == list(range(ROWS + 1, ROWS + 16))


@pytest.mark.parametrize(("first", "rows"), [(1, ROWS), (ROWS, ROWS), (ROWS + 1, 7)], ids=str)
def test_what_was_got_ready_for_another_place_is_read_anew(journal, first, rows) -> None:
    append(journal, 3 * ROWS)
    ahead = ReadAhead(journal)
    ahead.get_ready(ROWS + 1, ROWS)
    ahead.get_ready(ROWS + 1, ROWS)

    assert numbers(ahead.take(first, rows)) == list(range(first, first + rows))


@pytest.mark.parametrize(
    ("remaining", "came", "gathers"),
    [
        (0, 0, True),  # what comes next becomes a larger batch
        (ROWS - 1, 3, True),
        (ROWS, 3, False),  # after an outage: a trickle does not keep the backlog
        (ROWS, ROWS, True),  # a loop at full speed is left alone
        (DRAIN_BEHIND_ROWS_MAX, ROWS, False),  # but not for ever
    ],
)
def test_the_drain_leaves_the_interpreter_to_a_loop_at_full_speed(journal, remaining, came, gathers) -> None:
    drainer = Drainer(journal, batch_rows=ROWS)

    assert drainer._gathers(Drained(stored=ROWS, remaining=remaining), came=came) is gathers

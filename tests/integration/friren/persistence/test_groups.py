"""Facts of one call: all of them or none, one record, one number, one verdict."""

from __future__ import annotations

from uuid import uuid4

import pytest

from friren.persistence import codec, dead_letters
from friren.persistence.codec import decode, encode
from friren.persistence.drain import Drainer
from friren.persistence.facts import Fact, make_fact
from friren.persistence.groups import group_of, parts_of
from friren.persistence.handlers import apply
from friren.persistence.receipts import WriteOutcome
from tests.integration.friren.persistence.journals import (
    AT,
    assert_identity,
    counts_of,
    journal_of,
    letters,
    order,
    trade,
)
from trading_engine.models import Order, Trade, TradeStatusEvent
from trading_engine.services import TradeLogger

STORED, DUPLICATE = WriteOutcome.STORED, WriteOutcome.DUPLICATE


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """A missing row is given up at once."""
    monkeypatch.setattr("friren.persistence.settings.PARENT_WAIT_SECONDS", 0.0)


def bust(account, key) -> Fact:
    return make_fact(TradeStatusEvent, account=account.id, trade=key, to_status="busted", occurred_at=AT, reason="x")


def bad(account) -> Fact:
    """A fill of an order that is not there."""
    return trade(account, order=uuid4())


def drained(journal):
    return Drainer(journal).drain_all(timeout=120)


class TestTheRecord:
    def test_says_all_of_its_parts(self, book) -> None:
        group = group_of([trade(book), trade(book, 1, price=2), bust(book, uuid4())])

        read = decode(encode(group))

        assert (read.kind, read.id, read.digest) == ("group", group.id, group.digest)
        assert parts_of(read) == parts_of(group)

    @pytest.mark.parametrize(
        "values", ["{}", '{"parts": []}', '{"parts": 5}', '{"parts": [{"kind": "trade"}]}', "[]", '{"parts": [{}]}']
    )
    def test_that_holds_no_records_is_unreadable(self, values) -> None:
        payload = f'{{"v": 1, "kind": "group", "id": "{uuid4()}", "values": {values}}}'

        with pytest.raises(codec.UnreadableRecordError):
            decode(payload.encode())

    def test_has_parts_of_older_versions_brought_up_to_date(self, book, monkeypatch) -> None:
        payload = encode(group_of([trade(book), trade(book, 1)])).replace(b'"reasoning"', b'"why"')
        monkeypatch.setitem(codec._versions, "trade", 2)
        monkeypatch.setitem(
            codec._upcasters,
            ("trade", 1),
            lambda old: {**{n: v for n, v in old.items() if n != "why"}, "reasoning": "r"},
        )

        assert {part.values["reasoning"] for part in parts_of(decode(payload))} == {"r"}


class TestTheDrain:
    def test_stores_a_group_as_one_record(self, root, book) -> None:
        pair = group_of([trade(book, 1), trade(book, 2)])
        journal = journal_of(root, [trade(book), pair, pair])

        drained(journal)

        assert counts_of(journal) == (2, 1, 0)
        assert Trade.objects.count() == 3
        assert set(Trade.objects.values_list("producer", flat=True)) == {journal.producer}
        assert_identity(root, journal)

    def test_refuses_a_group_whole_and_keeps_it_whole(self, root, book) -> None:
        good, half = trade(book, 1), group_of([trade(book, 2), bad(book), trade(book, 3)])
        journal = journal_of(root, [good, half, group_of([trade(book, 4), trade(book, 5)])])

        drained(journal)

        assert counts_of(journal) == (2, 0, 1)
        assert Trade.objects.count() == 3
        assert not Trade.objects.filter(id__in=[part.id for part in parts_of(half)]).exists()
        (letter,) = letters()
        assert (letter.kind, letter.fact_id, letter.account_id) == ("group", half.id, book.id)
        assert "order=" in letter.error
        assert_identity(root, journal)

    def test_takes_what_builds_on_a_refused_group_with_it_and_nothing_else(self, root, book) -> None:
        half = group_of([trade(book, 2), bad(book)])
        orphan = bust(book, half.id)
        other = trade(book, 9)
        journal = journal_of(root, [half, orphan, other, bust(book, other.id)])

        drained(journal)

        assert counts_of(journal) == (2, 0, 2)
        assert {letter.fact_id for letter in letters()} == {half.id, orphan.id}
        assert Trade.objects.get().status == "busted"

    def test_stores_a_group_whose_order_stands_in_the_same_batch(self, root, book) -> None:
        first = order(book)
        journal = journal_of(root, [group_of([trade(book, order=first.id), trade(book, 1)]), first])

        drained(journal)

        assert (counts_of(journal), Order.objects.count(), Trade.objects.count()) == ((2, 0, 0), 1, 2)

    def test_lets_a_letter_be_tried_again_when_what_lacked_is_there(self, root, book) -> None:
        parent = order(book)
        half = group_of([trade(book, 1, order=parent.id), trade(book, 2)])
        drained(journal_of(root, [half]))
        assert Trade.objects.count() == 0
        apply(parent, using="default")

        done = dead_letters.retry(dead_letters.open_letters())

        assert (done.stored, done.failed) == (1, 0)
        assert Trade.objects.count() == 2

    def test_finds_every_bad_group_among_many(self, root, book) -> None:
        facts = [
            group_of([trade(book, 3 * n), bad(book)] if n % 5 == 0 else [trade(book, 3 * n), trade(book, 3 * n + 1)])
            for n in range(50)
        ]
        journal = journal_of(root, facts)

        drained(journal)

        assert counts_of(journal) == (40, 0, 10)
        assert Trade.objects.count() == 80

    def test_of_two_groups_that_want_one_key_takes_the_first(self, root, book) -> None:
        one, two = (trade(book, n, external_id="77", venue="X") for n in range(2))
        journal = journal_of(root, [group_of([one, trade(book, 3)]), group_of([trade(book, 4), two])])

        drained(journal)

        assert counts_of(journal) == (1, 0, 1)
        assert {row.executed_at for row in Trade.objects.all()} == {
            one.values["executed_at"],
            trade(book, 3).values["executed_at"],
        }


class TestOneByOne:
    def test_ends_as_in_a_batch(self, book) -> None:
        pair = group_of([trade(book, 1), trade(book, 2)])

        assert [apply(pair, using="default").outcome for _ in range(2)] == [STORED, DUPLICATE]
        assert Trade.objects.count() == 2


class TestCorrections:
    @pytest.fixture(params=["direct", "journal"])
    def trades(self, request, book):
        return TradeLogger(account=book, mode=request.param)

    def test_told_twice_are_one(self, trades) -> None:
        told = {"symbol": "AAPL", "action": "buy", "quantity": 10, "price": 187, "timestamp": AT}
        wrong = trades.log_trade(**told)
        first, again = (trades.correct_trade(wrong, reason="price", corrected={**told, "price": 178}) for _ in range(2))

        assert trades.flush(120)
        assert first[1].id == again[1].id
        if trades.recorder.mode == "direct":
            assert [receipt.outcome for receipt in (*first, *again)] == [STORED, STORED, DUPLICATE, DUPLICATE]
        assert set(Trade.objects.values_list("status", "corrects")) == {("busted", None), ("filled", wrong.id)}
        assert letters() == []

    def test_of_one_fill_in_two_ways_are_refused(self, book) -> None:
        trades = TradeLogger(account=book, mode="journal")
        told = {"symbol": "AAPL", "action": "buy", "quantity": 10, "price": 187, "timestamp": AT}
        wrong = trades.log_trade(**told)
        for price in (178, 179):
            trades.correct_trade(wrong, reason="price", corrected={**told, "price": price})

        assert trades.flush(120)
        (letter,) = letters()
        assert (letter.kind, letter.error_class) == ("group", "KeyReusedError")
        assert "corrects=" in letter.error
        assert Trade.objects.filter(status="filled").get().price == 178

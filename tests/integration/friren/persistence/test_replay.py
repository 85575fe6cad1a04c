"""The commands that deal with journals and dead letters, and what health says of them."""

from __future__ import annotations

import json
from decimal import Decimal
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from friren.core.ids import new_id
from friren.core.models import AuditLog
from friren.operations.health.write_path import check_write_path, figures
from friren.persistence import settings
from friren.persistence.drain import Drainer
from friren.persistence.facts import Fact
from friren.persistence.journal import Address, Journal
from friren.persistence.models import DeadLetter
from trading_engine.models import Order, Trade

from .journals import here, journal_of, order, trade, write


@pytest.fixture
def home(tmp_path, settings):
    settings.FRIREN_HOME = tmp_path
    return tmp_path


def run(*arguments, code: int = 0) -> dict:
    out = StringIO()
    try:
        call_command(*arguments, "--json", stdout=out)
        ended = 0
    except SystemExit as exc:
        ended = exc.code
    assert ended == code
    return json.loads(out.getvalue())


def test_replay_stores_what_journals_hold_once(home, root, book) -> None:
    left = journal_of(root, [trade(book, number) for number in range(20)])
    left.close()
    told = {"replayed": 20, "duplicates": 0, "dead_lettered": 0, "remaining": 0, "waiting": 0, "elsewhere": []}
    assert run("replay") == told
    assert run("replay") == {**told, "replayed": 0}
    assert Trade.objects.count() == 20


def test_replay_leaves_the_journal_of_another_database_until_it_is_adopted(home, root, book) -> None:
    there = Address("db.example", "5432", "trading")
    left = Journal(root, there)
    write(left, [trade(book, number) for number in range(5)])
    with pytest.raises(CommandError, match="is running"):
        run("replay", "--adopt", str(left.producer))
    left.close()
    told = run("replay")
    assert told["replayed"] == 0
    assert told["elsewhere"] == [
        {"id": str(left.producer), "address": "trading at db.example:5432", "folder": there.folder, "last_seq": 5}
    ]
    assert run("replay", "--adopt", str(left.producer))["replayed"] == 5
    assert run("replay") == {
        "replayed": 0, "duplicates": 0, "dead_lettered": 0, "remaining": 0, "waiting": 0, "elsewhere": [],
    }  # fmt: skip
    assert (root / here().folder / str(left.producer)).is_dir()
    assert Trade.objects.count() == 5
    entry = AuditLog.objects.get(source="replay")
    assert (entry.object_pk, entry.before) == (str(left.producer), {"address": "trading at db.example:5432"})
    assert "@" in entry.actor_label


def test_replay_knows_no_such_journal(home) -> None:
    with pytest.raises(CommandError, match="no journal"):
        run("replay", "--adopt", str(uuid4()))


def test_health_accounts_for_every_record(home, root, book, monkeypatch) -> None:
    monkeypatch.setattr(settings, "PARENT_WAIT_SECONDS", 0.0)
    bad = Fact(kind="trade", id=new_id(), values={**trade(book).values, "quantity": Decimal(0)})
    twice = trade(book, 1)
    first = journal_of(root, [twice, twice, bad, *(trade(book, number) for number in range(2, 12))])
    Drainer(first, batch_rows=8).drain_once()
    told = run("health", code=1)
    assert told["write_path"] == {
        "last_seq": 13, "stored": 6, "duplicates": 1, "dead_lettered": 1, "backlog": 5, "buffered": 0,
    }  # fmt: skip
    assert told["checks"]["write_path"]["message"] == "1 dead letters: see `manage.py dead_letters list`"
    run("dead_letters", "drop", "--all")
    assert check_write_path().message == "5 records on their way"
    first.close()
    assert check_write_path().message == "5 records of dead processes wait for `manage.py replay`"
    run("replay")
    assert check_write_path().ok
    assert figures() == {
        "last_seq": 13, "stored": 11, "duplicates": 1, "dead_lettered": 1, "backlog": 0, "buffered": 0,
    }  # fmt: skip


def test_the_account_holds_when_the_journal_is_gone(home, root, book, monkeypatch) -> None:
    journal = journal_of(root, [trade(book, number) for number in range(5)])
    journal.close()
    monkeypatch.setattr(settings, "JOURNAL_KEEP_SECONDS", -1.0)
    run("replay")
    assert not journal.directory.exists()
    assert figures()["last_seq"] == figures()["stored"] == 5


def test_a_dead_letter_is_looked_at_and_tried_again(home, root, book, monkeypatch) -> None:
    monkeypatch.setattr(settings, "PARENT_WAIT_SECONDS", 0.0)
    parent = order(book)
    orphans = [trade(book, number, symbol="AAPL", order=parent.id) for number in range(3)]
    hopeless = Fact(kind="trade", id=new_id(), values={**orphans[0].values, "quantity": Decimal(-1)})
    Drainer(journal_of(root, [*orphans, hopeless])).drain_all()
    listed = run("dead_letters", "list")
    assert listed["open"] == 4
    assert [letter["kind"] for letter in listed["letters"]] == ["trade"] * 4
    first = listed["letters"][0]["id"]
    [shown] = run("dead_letters", "show", str(first))["letters"]
    assert json.loads(shown["payload"])["id"] == str(orphans[0].id) == shown["fact_id"]
    assert shown["account_id"] == str(book.id)
    assert run("dead_letters", "retry", str(first), code=1) == {"stored": 0, "duplicates": 0, "failed": 1, "open": 4}
    assert DeadLetter.objects.get(id=first).attempts == 2
    Drainer(journal_of(root, [parent])).drain_all()
    assert run("dead_letters", "retry", "--all", code=1) == {"stored": 3, "duplicates": 0, "failed": 1, "open": 1}
    assert Trade.objects.count() == 3
    assert Order.objects.count() == 1
    assert DeadLetter.objects.get(id=first).resolution == "stored"
    assert run("dead_letters", "drop", "--all") == {"dropped": 1, "open": 0}
    dropped = DeadLetter.objects.get(resolution="dropped")
    told = [entry.after for entry in AuditLog.objects.filter(source="dead_letters").order_by("recorded_seq")]
    assert [(after["resolution"], len(after["ids"])) for after in told] == [("stored", 3), ("dropped", 1)]
    assert told[1]["ids"] == [dropped.id]


def test_dead_letters_wants_to_know_which(home) -> None:
    with pytest.raises(CommandError) as caught:
        call_command("dead_letters", "retry")
    assert caught.value.returncode == 2
    with pytest.raises(CommandError, match="no open dead letter 12345"):
        call_command("dead_letters", "show", "12345")


def test_a_refused_fill_stands_on_its_own_shelf(home, root, book) -> None:
    from friren.errors import RejectedRecordError
    from friren.persistence.codec import encode_rejected

    journal = journal_of(root)
    said = {"account": book.id, "symbol": "AAPL", "quantity": Decimal(10), "reasoning": "x\x00y"}
    journal.append(encode_rejected("trade", said, RejectedRecordError("reasoning", "x\x00y", "no NUL")), sync=True)
    assert Drainer(journal).drain_all().dead_lettered == 1
    letter = DeadLetter.objects.get()
    assert (letter.shelf, letter.kind, letter.account_id) == ("rejected", "trade", book.id)
    assert letter.error_class == "RejectedRecordError"
    assert run("dead_letters", "list", "--shelf", "rejected")["open"] == 1
    assert run("dead_letters", "list", "--shelf", "dead")["open"] == 0
    assert run("dead_letters", "retry", "--all", code=1)["failed"] == 1


def test_losses_are_stored_once(root) -> None:
    from friren.persistence.buffer import Loss
    from friren.persistence.models import LossRecord
    from friren.persistence.relief import loss_fact

    from .journals import AT

    fact = loss_fact("signal", Loss(lost=7, first_at=AT, last_at=AT), new_id())
    journal = journal_of(root, [fact, fact])
    done = Drainer(journal).drain_all()
    assert (done.stored, done.duplicates) == (1, 1)
    assert LossRecord.objects.get().lost == 7

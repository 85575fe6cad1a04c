"""A fact that was archived is known when it is told again, by whichever way; and histories can have it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal

import psycopg
import pytest
from django.conf import settings
from django.db import connection

import friren
from friren.core.ids import new_id
from friren.errors import KeyReusedError
from friren.operations.archive.door import horizon_of
from friren.operations.archive.policies import named_policy
from friren.operations.archive.service import archive, unarchive
from friren.operations.grants import grant_writer
from friren.persistence.models import DeadLetter
from friren.persistence.receipts import WriteOutcome
from portfolio_manager.data_logger import DecisionLogger, TradeIdeaService
from portfolio_manager.models import TradeIdea
from tests import postgres as harness
from tests.factories import DecisionHistoryFactory
from tests.integration.friren.operations.archive.conftest import LATER, archived, live
from trading_engine.models import Price, SentimentData, Signal
from trading_engine.services import PriceRecorder, SentimentLogger, SignalLogger

NOON = dt.datetime(2024, 1, 5, 12, tzinfo=dt.UTC)
STORED, DUPLICATE = WriteOutcome.STORED, WriteOutcome.DUPLICATE
COLUMNS = (
    "id, digest, account_id, kind, timestamp, symbol_id, signal_type, reasoning, market_question, strategy_name, "
    "event_title, processed, executed, extra"
)
ROLE = "bot beside an archive"


def signal(number: int = 0, **changes):
    told = {"symbol": "AAPL", "signal_type": "BUY", "timestamp": NOON + dt.timedelta(days=number)}
    return told | changes


@pytest.fixture
def signals() -> SignalLogger:
    return SignalLogger(friren.open_account("book"))


@pytest.fixture
def known(signals) -> dict:
    """A signal that was stored and archived."""
    told = signal(signal_id=new_id())
    signals.log_signal(**told)
    archive(["Signal"], now=LATER, older_than=NOON + dt.timedelta(days=10))
    assert not Signal.objects.exists()
    return told


def test_told_again_it_is_a_duplicate(signals, known) -> None:
    assert signals.log_signal(**known).outcome is DUPLICATE
    assert not Signal.objects.exists()


def test_told_otherwise_it_is_refused(signals, known) -> None:
    with pytest.raises(KeyReusedError):
        signals.log_signal(**known | {"signal_type": "SELL"})
    assert not Signal.objects.exists()


def test_among_many_it_is_the_one_that_is_a_duplicate(signals, known) -> None:
    others = [signal(number, signal_id=new_id()) for number in range(30)]
    other_content = known | {"reasoning": "other"}

    receipt = signals.bulk_log([*others[:10], known, *others[10:], other_content])

    assert (receipt.stored, receipt.duplicates) == (30, 1)
    assert [index for index, _error in receipt.rejected] == [31]
    assert Signal.objects.count() == 30


def test_out_of_a_journal_it_is_a_duplicate(signals, known) -> None:
    with SignalLogger(signals.account, mode="journal") as journaled:
        journaled.log_signal(**known)
        journaled.log_signal(**signal(1, signal_id=new_id()))
        assert journaled.flush(30)

    assert Signal.objects.count() == 1
    assert not DeadLetter.objects.exists()


def test_news_that_are_fetched_again_are_duplicates() -> None:
    news = [
        {"symbol": "AAPL", "news_source": "wire", "headline": f"No. {number}", "sentiment_score": 0.1,
         "timestamp": NOON + dt.timedelta(hours=number)}
        for number in range(12)
    ]  # fmt: skip
    logger = SentimentLogger()
    logger.bulk_insert_news(news[:8])
    archive(["SentimentData"], now=LATER, older_than=NOON + dt.timedelta(hours=5))

    receipt = logger.bulk_insert_news(news)

    assert (receipt.stored, receipt.duplicates, receipt.rejected) == (4, 8, [])
    assert SentimentData.objects.count() == 7


def bars(count: int, **changes):
    bar = {name: Decimal(10) for name in ("open", "high", "low", "close", "volume")}
    return [{**bar, "timestamp": NOON.replace(hour=0) + dt.timedelta(days=day), **changes} for day in range(count)]


def test_bars_that_are_imported_again_are_duplicates_and_other_values_conflicts() -> None:
    recorder = PriceRecorder()
    recorder.record_bars(bars(60), symbol="AAPL")
    archive(["Price"], now=LATER, older_than=NOON + dt.timedelta(days=50))
    left = Price.objects.count()

    again = recorder.record_bars(bars(70), symbol="AAPL")
    other = recorder.record_bars(bars(3, close=Decimal("10.5"), high=Decimal(11)), symbol="AAPL")

    assert (again.stored, again.duplicates, again.conflicts) == (10, 60, 0)
    assert (other.stored, other.conflicts) == (0, 3)
    assert Price.objects.count() == left + 10


def test_a_new_fact_is_held_to_nothing_but_its_time(signals, known) -> None:
    policy = named_policy("Signal")
    assert horizon_of(policy, "default") == NOON + dt.timedelta(days=10)
    with connection.cursor() as cursor:
        # Whoever is older would ask this, and fail.
        cursor.execute("ALTER TABLE archive.trading_engine_signal RENAME TO elsewhere")

    assert signals.log_signal(**signal(10)).outcome is STORED

    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE archive.elsewhere RENAME TO trading_engine_signal")
        cursor.execute("SELECT count(*) FROM pg_trigger WHERE tgname = 'friren_archived' AND tgrelid = %s::regclass",
                       ["trading_engine_trade"])  # fmt: skip
        assert cursor.fetchone() == (0,)


def test_what_came_back_is_a_duplicate_too(signals, known) -> None:
    unarchive(["Signal"], until=LATER)

    assert signals.log_signal(**known).outcome is DUPLICATE
    assert Signal.objects.count() == 1


@pytest.fixture
def role(django_db_setup) -> Iterator[str]:
    with harness.admin_connection() as admin:
        admin.execute(f'CREATE ROLE "{ROLE}" LOGIN')
    yield ROLE
    with harness.admin_connection(settings.DATABASES["default"]["NAME"]) as admin:
        admin.execute(f'DROP OWNED BY "{ROLE}"; DROP ROLE "{ROLE}"')


@pytest.mark.parametrize("granted", ["before", "after"])
def test_a_role_that_may_write_facts_may_look_into_the_archive_and_not_write_there(signals, role, granted) -> None:
    told = signal(signal_id=new_id())
    signals.log_signal(**told)
    if granted == "before":
        grant_writer(role)
    archive(["Signal"], now=LATER, older_than=LATER)
    if granted == "after":
        grant_writer(role)
    options = connection.get_connection_params()

    with psycopg.connect(dbname=options["dbname"], host=options["host"], user=role, autocommit=True) as bot:
        bot.execute("SELECT s.id FROM archive.trading_engine_signal s, archive.friren_cold").fetchall()
        for statement in ("DELETE FROM {}", "INSERT INTO {} SELECT * FROM {}", "UPDATE {} SET id = id"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                bot.execute(statement.replace("{}", "archive.trading_engine_signal"))
        # As the write path does it: the row is passed over.
        row = bot.execute(
            f"INSERT INTO trading_engine_signal ({COLUMNS}) SELECT {COLUMNS} FROM archive.trading_engine_signal "
            "RETURNING id"
        ).fetchall()
        assert row == []


class TestHistories:
    def test_have_what_was_archived_when_they_are_asked(self, signals) -> None:
        for number in range(6):
            signals.log_signal(**signal(number, strategy_name="a" if number % 2 else "b"))
        archive(["Signal"], now=LATER, older_than=NOON + dt.timedelta(days=4))

        def days(**asked) -> list[int]:
            return [row.timestamp.day - NOON.day for row in signals.get_signal_history("AAPL", **asked)]

        assert days() == [5, 4]
        assert days(include_archive=True) == [5, 4, 3, 2, 1, 0]
        assert days(include_archive=True, strategy="a") == [5, 3, 1]
        first = signals.get_signal_history(include_archive=True, limit=4)
        rest = signals.get_signal_history(include_archive=True, after=first.next)
        assert [len(first), len(rest)] == [4, 2]

    def test_are_as_they_were_where_nothing_was_archived(self, signals) -> None:
        signals.log_signal(**signal())

        assert len(signals.get_signal_history(include_archive=True)) == 1
        assert SentimentLogger().get_sentiment_history(include_archive=True) == []

    def test_of_ideas_and_decisions_have_them_too(self) -> None:
        decided = DecisionHistoryFactory()
        TradeIdea.objects.update(status="rejected")
        account = decided.account
        archive(now=LATER, older_than=LATER)
        handle = friren.open_account(account.name, owner=account.owner.username)

        with DecisionLogger(handle) as decisions, TradeIdeaService(handle) as ideas:
            assert decisions.get_decision_history() == []
            assert [row.id for row in decisions.get_decision_history(include_archive=True)] == [decided.id]
            assert ideas.get_idea_history() == []
            assert [row.id for row in ideas.get_idea_history(include_archive=True)] == [decided.trade_idea_id]

    def test_of_bars_and_news_have_them_too(self) -> None:
        recorder = PriceRecorder()
        recorder.record_bars(bars(40), symbol="AAPL")
        archive(["Price"], now=LATER, older_than=NOON + dt.timedelta(days=30))

        assert len(recorder.bars("AAPL")) == 9
        assert len(recorder.bars("AAPL", include_archive=True)) == 40
        assert len(archived("Price")) == 31
        assert len(live("Price")) == 9

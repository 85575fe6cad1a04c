"""kill -9 at every step of archiving, of writing files and of the way back: a row is in one place, and in no other."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from friren.operations import audit
from tests import postgres as harness
from tests.archiving.checking import Expected
from tests.archiving.kills import PLACES, cycle, finish, killed_at, killed_somewhen
from tests.archiving.money import MONEY_PLACES, Books, move_money
from tests.killed import ALL_KILLS

pytest.importorskip("pyarrow", reason="Parquet is pyarrow's, group data")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="fork and SIGKILL are POSIX")


@pytest.fixture
def expected(database, tmp_path_factory, settings):
    settings.FRIREN_AUDIT_HOME = tmp_path_factory.mktemp("audit")
    yield Expected.filled(60)
    drop_archive(settings)


def drop_archive(settings) -> None:
    with harness.admin_connection(settings.DATABASES["default"]["NAME"]) as admin:
        admin.execute("SET client_min_messages = warning")
        admin.execute("DROP SCHEMA IF EXISTS archive CASCADE")


def test_at_every_named_place_no_row_is_lost_or_doubled_and_the_next_run_puts_things_in_order(
    expected, tmp_path, settings
) -> None:
    audit.seal()
    for place, moment in PLACES:
        assert killed_at(lambda: cycle(tmp_path, tables=["Signal"]), place, moment, 1), f"nobody came by {place}"
        assert list(expected.misplaced(tmp_path)) == [], (place, moment)
    finish(tmp_path)

    assert list(expected.unlike(tmp_path)) == []
    assert audit.verify().ok
    assert list((Path(settings.FRIREN_HOME) / "cold").rglob("*.*")) == [], "what was on its way is not left"


def test_wherever_a_move_of_money_is_killed_the_books_say_the_same_and_no_row_is_lost_or_doubled(
    database, tmp_path, settings
) -> None:
    settings.FRIREN_AUDIT_HOME = tmp_path
    books = Books.lived(1, 6)
    places = MONEY_PLACES if ALL_KILLS else MONEY_PLACES[1::4]
    for place, moment in places:
        assert killed_at(move_money, place, moment, 1), f"nobody came by {place}"
        assert list(books.misplaced()) == [], (place, moment)

    assert list(books.unlike()) == []
    drop_archive(settings)


def test_at_random_moments_too(expected, tmp_path) -> None:
    chance = random.Random(20261120)
    died = 0
    for _ in range(5):
        died += killed_somewhen(lambda: cycle(tmp_path), chance.uniform(0.02, 0.4))
        assert list(expected.misplaced(tmp_path)) == []
    finish(tmp_path)

    assert died > 0
    assert list(expected.unlike(tmp_path)) == []

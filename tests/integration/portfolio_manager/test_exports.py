"""Out of one database and into an empty one: every table comes out as it was, in every format."""

from __future__ import annotations

import io
import json
import os
from decimal import Decimal
from importlib.util import find_spec

import pytest
from django.db import connections

from friren.accounts import open_account
from friren.core.models import AuditLog
from friren.persistence.facts import forget_natural_keys
from portfolio_manager.data_logger import PortfolioTracker
from portfolio_manager.models import Position, RiskConfig, Strategy, TradeIdea
from tests.factories import MONDAY, factories
from tests.prescient_tree import Tree
from tests.stored_books import folded_books, stored_books
from trading_engine.data.importers.blueprint import columns_of_settings
from trading_engine.data.transfer.manifests import sha256_of
from trading_engine.data.transfer.reading import snapshot
from trading_engine.data.transfer.tables import exported_tables
from trading_engine.management.commands import export_data, import_data
from trading_engine.models import Symbol, Trade
from trading_engine.services import TradeLogger, friren_imports
from trading_engine.services.data_exports import table_digest

pytestmark = pytest.mark.usefixtures("database")
D = Decimal
# Where all groups were installed it is never skipped.
HAS_PYARROW = bool(os.environ.get("FRIREN_TEST_ALL")) or find_spec("pyarrow") is not None
NEEDS_PYARROW = pytest.mark.skipif(not HAS_PYARROW, reason="Parquet is pyarrow's, group data")
FORMS = ("json", "csv", pytest.param("parquet", marks=NEEDS_PYARROW))


def run(module, *arguments):
    """Return (exit code, report) of a command; the report is what was said where there is none."""
    one = module.Command(stdout=(stdout := io.StringIO()), stderr=(stderr := io.StringIO()), no_color=True)
    code = 0
    try:
        one.run_from_argv(["manage.py", module.__name__.rpartition(".")[2], *map(str, arguments), "--json"])
    except SystemExit as exit_:
        code = int(exit_.code)
    finally:
        connections.close_all()
    return code, json.loads(stdout.getvalue()) if stdout.getvalue() else stderr.getvalue()


def digests():
    with snapshot("default"):
        found = {table.name: table_digest(table, account=None, using="default") for table in exported_tables()}
    return {name: (one.rows, one.text) for name, one in found.items()}


@pytest.fixture
def empty(emptier):
    """Empty the database, as if another one were used."""

    def work():
        connections.close_all()
        emptier.empty()
        forget_natural_keys()

    return work


class KilledError(Exception):
    """The process ended here."""


def killed(*_args, **_more):
    raise KilledError


def fill_every_table():
    """Make rows in every table that is exported."""
    made = factories()
    for table in exported_tables():
        made[table.model].create_batch(2)
    # The row of an empty database, changed by somebody.
    RiskConfig.objects.update(max_concurrent_trades=2)


@pytest.mark.parametrize("form", FORMS)
def test_every_table_comes_out_as_it_was(form, tmp_path, empty):
    fill_every_table()
    before = digests()
    assert min(rows for rows, _digest in before.values()) >= 1
    code, report = run(export_data, tmp_path / "out", "--format", form)
    assert code == 0, report
    assert {name: (one["rows"], one["digest"]) for name, one in report["tables"].items()} == before
    empty()

    code, report = run(import_data, "--source", "friren", tmp_path / "out")

    assert (code, report["rejected"], report["unreadable"]) == (0, 0, []), report["unreadable"]
    # The export itself is an entry of the audit, and of the next export.
    assert digests() == before
    code, again = run(import_data, "--source", "friren", tmp_path / "out")
    assert (code, again["imported"], again["duplicates"]) == (0, 0, report["imported"])
    assert digests() == before


def trade(account):
    """Fill books with numbers of all digits, a correction, and texts that are not plain."""
    with PortfolioTracker(account) as book, TradeLogger(account=account) as trades:
        book.record_trade(symbol="AAPL", action="buy", quantity=10, price=D("187.123456789012345678"), timestamp=MONDAY,
                          reasoning='a "quoted", line\nand a \\N', tags=["a,b", ""], shap_values={"rsi": 0.1},
                          venue="IBKR", external_id="\\77", commission=D("0.35"))  # fmt: skip
        wrong = book.record_trade(symbol="AAPL", action="sell", quantity=4, price=190, timestamp=MONDAY)
        trades.correct_trade(
            wrong,
            reason="price",
            corrected={"symbol": "AAPL", "action": "sell", "quantity": 4, "price": 191, "timestamp": MONDAY},
        )
        book.record_trade(symbol=("BTC-USD", "coinbase"), action="buy", quantity=D("1e-18"), price=D("-37.63"),
                          timestamp=MONDAY, strategy_used="λ")  # fmt: skip
        book.record_cash("DEPOSIT", 5, MONDAY)
        return book.get_current_positions()


@pytest.mark.parametrize("form", FORMS)
def test_books_are_folded_anew_and_come_out_equal(form, tmp_path, empty):
    account = open_account("book", environment="PAPER", starting_cash=D(100000))
    trade(account)
    books, facts = stored_books(account.id), digests()
    with PortfolioTracker(account) as tracker:
        assert tracker.rebuild(check=True).differences == ()
    run(export_data, tmp_path / "out", "--format", form)
    empty()

    code, _report = run(import_data, "--source", "friren", tmp_path / "out")

    assert (code, digests()) == (0, facts)
    after = stored_books(account.id)
    # Symbols get numbers of the new database.
    symbols = dict(Symbol.objects.values_list("ticker", "id"))
    assert set(symbols) == {"AAPL", "BTC-USD"}
    for one in (books, after):
        for row in one["Position"].values():
            row.pop("symbol_id")
    assert after == books
    assert {name: after[name] for name in ("PositionFill", "LedgerEntry")} == {
        name: folded_books(account)[name] for name in ("PositionFill", "LedgerEntry")
    }
    assert Trade.objects.get(external_id="\\77").reasoning == 'a "quoted", line\nand a \\N'


def test_the_producers_of_facts_are_kept(tmp_path, empty):
    trade(open_account("book", environment="PAPER", starting_cash=D(0)))
    before = set(Trade.objects.values_list("id", "producer"))
    assert all(producer for _key, producer in before)
    run(export_data, tmp_path / "out")
    empty()
    run(import_data, "--source", "friren", tmp_path / "out")

    assert set(Trade.objects.values_list("id", "producer")) == before


def test_an_import_that_was_killed_before_its_end_is_ended_by_the_next(tmp_path, empty, monkeypatch):
    idea = factories()[TradeIdea]()
    TradeIdea.objects.filter(pk=idea.pk).update(trade=factories()[Trade](account=idea.account))
    before = digests()
    run(export_data, tmp_path / "out")
    empty()
    with monkeypatch.context() as broken:
        broken.setattr(friren_imports, "fill_in", killed)
        with pytest.raises(KilledError):
            run(import_data, "--source", "friren", tmp_path / "out")
    assert TradeIdea.objects.get().trade is None

    assert run(import_data, "--source", "friren", tmp_path / "out")[0] == 0
    assert digests() == before


def test_the_rows_of_one_account_are_a_whole(tmp_path, empty):
    for name in ("kept", "other"):
        trade(open_account(name, environment="PAPER", starting_cash=D(1000)))
    code, report = run(export_data, tmp_path / "out", "--account", "kept")
    assert (code, report["tables"]["trading_engine.Trade"]["rows"]) == (0, Trade.objects.count() // 2)
    empty()

    assert run(import_data, "--source", "friren", tmp_path / "out")[0] == 0
    assert Position.objects.values_list("account__name", flat=True).distinct().get() == "kept"


def test_a_file_that_was_changed_is_refused_before_anything_is_stored(tmp_path, empty):
    trade(open_account("book", environment="PAPER", starting_cash=D(0)))
    run(export_data, tmp_path / "out")
    path = tmp_path / "out/trading_engine.Trade.jsonl"
    path.write_text(path.read_text().replace('"191"', '"192"'))
    empty()

    code, report = run(import_data, "--source", "friren", tmp_path / "out")

    assert code == 1
    assert "is damaged" in report["unreadable"][0]["rule"]
    assert not Trade.objects.exists()


def test_a_row_that_says_something_else_than_was_stored_is_named(tmp_path, empty):
    trade(open_account("book", environment="PAPER", starting_cash=D(0)))
    run(export_data, tmp_path / "out")
    path = tmp_path / "out/trading_engine.Trade.jsonl"
    path.write_text(path.read_text().replace('"191"', '"192"'))
    manifest = tmp_path / "out/manifest.json"
    told = json.loads(manifest.read_text())
    (row,) = [one for one in told["tables"] if one["name"] == "trading_engine.Trade"]
    row["sha256"] = sha256_of(path)
    manifest.write_text(json.dumps(told))
    empty()

    code, report = run(import_data, "--source", "friren", tmp_path / "out")

    assert (code, report["rejected"]) == (1, 1)
    assert [(one["field"], one["line"]) for one in report["rejected_rows"]] == [("digest", 3)]
    assert any("trading_engine.Trade" in one["rule"] for one in report["unreadable"])


def test_an_export_wants_a_folder_of_its_own_and_is_in_the_audit(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("")
    code, said = run(export_data, tmp_path / "out")
    assert (code, "has something in it" in said) == (1, True)

    assert run(export_data, tmp_path / "new", "--table", "Trade")[0] == 0
    assert AuditLog.objects.get(action="EXPORT").after["tables"] == 1
    assert run(export_data, tmp_path / "third", "--table", "Nothing")[0] == 1


def test_round_trips_go_back_in_the_shape_of_copy_ai(shared_data, tmp_path, empty):
    source = shared_data / "nof1/2025-10-26/trades.json"
    run(import_data, "--source", "copy_ai", source)
    with TradeLogger(account="copy_ai") as trades:
        trades.log_trade(symbol="BTC", action="buy", quantity=1, price=1, timestamp=MONDAY)  # in no round trip
    before = set(Trade.objects.exclude(round_trip=None).values_list("id", "digest"))

    code, report = run(export_data, tmp_path / "out", "--shape", "copy_ai", "--account", "copy_ai")

    assert (code, report["files"]) == (0, [{"file": "trades.json", "records": 230, "left_out": 1}])
    empty()
    assert run(import_data, "--source", "copy_ai", tmp_path / "out/trades.json")[1]["imported"] == len(before)
    assert set(Trade.objects.values_list("id", "digest")) == before
    assert run(export_data, tmp_path / "again", "--shape", "copy_ai")[0] == 1


def test_settings_go_back_in_the_shape_of_blueprint(tmp_path, empty):
    made = factories()
    strategies = made[Strategy].create_batch(2)
    RiskConfig.load()
    RiskConfig.objects.update(max_lot_size=D("0.1"))
    before = list(Strategy.objects.order_by("name").values(*(columns_of_settings("strategies"))))
    assert run(export_data, tmp_path / "out", "--shape", "blueprint")[0] == 0
    empty()

    _code, report = run(import_data, "--source", "blueprint", tmp_path / "out")

    assert (report["imported"], report["conflicts"]) == (len(strategies) + 1, 0)
    assert list(Strategy.objects.order_by("name").values(*(columns_of_settings("strategies")))) == before
    assert RiskConfig.objects.get().max_lot_size == D("0.1")


def test_a_tree_goes_back_in_the_shape_of_prescient(tmp_path, empty):
    tree = Tree(tmp_path / "data")
    tree.write()
    assert run(import_data, "--source", "prescient", tmp_path / "data")[0] == 0
    before = set(Trade.objects.values_list("id", "digest"))

    code, report = run(export_data, tmp_path / "out", "--shape", "prescient", "--account", "prescient")

    assert (code, bool(before)) == (0, True), report
    assert len(report["files"]) >= 4
    empty()
    _code, report = run(import_data, "--source", "prescient", tmp_path / "out")
    assert (report["rejected"], report["conflicts"]) == (0, 0)
    assert set(Trade.objects.values_list("id", "digest")) == before

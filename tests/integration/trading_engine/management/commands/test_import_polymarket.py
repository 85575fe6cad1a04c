"""`import_data --source polymarket`: the venue's answers into events, markets and snapshots, whatever their order."""

from __future__ import annotations

import io
import json
from decimal import Decimal

import pytest
from django.db import connections
from django.db.models import Sum

from friren.persistence.models import DeadLetter
from trading_engine.management.commands.import_data import Command
from trading_engine.models import PredictionEvent, PredictionMarket, PredictionMarketSnapshot

pytestmark = pytest.mark.usefixtures("database")
D = Decimal
COUNTS = ("imported", "updated", "duplicates", "conflicts", "rejected")
EVENT, SEARCH, CLOB = "gamma_event_fed_june_2026.json", "gamma_search_fed.json", "clob_markets_fed_june_2026.json"
# Of each file as it is told: records, events, markets, decided ones, volume of events and of markets to six decimals.
FILES = {
    EVENT: (6, 1, 5, 0, "31056779.914251", "31060429.068536"),
    SEARCH: (11, 2, 9, 4, "137959910.742249", "137961641.573249"),
    "gamma_markets_20260225.json": (20, 2, 10, 0, "12855832.167018", "12856094.667018"),
    "gamma_markets_gta.json": (10, 1, 5, 0, "22770060.547276", "15722522.665821"),
}


def run(*arguments):
    """Return (exit code, report, stderr) of the command as a terminal sees it."""
    command = Command(stdout=(stdout := io.StringIO()), stderr=(stderr := io.StringIO()), no_color=True)
    code = 0
    try:
        command.run_from_argv(["manage.py", "import_data", "--source", "polymarket", *map(str, arguments), "--json"])
    except SystemExit as exit_:
        code = exit_.code
    finally:
        connections.close_all()
    return code, json.loads(stdout.getvalue() or "null"), stderr.getvalue()


def counts(report):
    return tuple(report[name] for name in COUNTS)


def stored():
    """Everything but our own stamps."""
    left_out = {"id", "created_at", "updated_at"}
    return [
        sorted(
            ({name: value for name, value in row.items() if name not in left_out} for row in model.objects.values()),
            key=lambda row: str(row[key]),
        )
        for model, key in ((PredictionEvent, "event_id"), (PredictionMarket, "market_id"))
    ]


def total(model):
    return model.objects.aggregate(Sum("volume"))["volume__sum"].quantize(D("0.000001"))


@pytest.fixture
def folder(shared_data):
    return shared_data / "polymarket"


@pytest.fixture
def write(tmp_path):
    def write_file(value, name="gamma.json"):
        path = tmp_path / name
        path.write_text(value if isinstance(value, str) else json.dumps(value, indent=1))
        return path

    return write_file


def market(number=1, **told):
    return {
        "id": str(number), "conditionId": f"0x{number}", "question": "Will it rain?",
        "updatedAt": "2026-05-17T06:00:00Z", "outcomes": '["Yes", "No"]',
        "outcomePrices": '["0.4", "0.6"]', "clobTokenIds": f'["{number}1", "{number}2"]',
        "volume": "10.5", **told,
    }  # fmt: skip


def event(*markets, **told):
    return {"id": "7", "title": "Weather", "updatedAt": "2026-05-17T06:00:00Z", "markets": list(markets), **told}


@pytest.mark.parametrize("name", FILES)
def test_the_figures_of_a_real_file_are_the_sources(folder, name) -> None:
    records, events, markets, decided, volume_of_events, volume_of_markets = FILES[name]

    code, report, _ = run(folder / name)
    again = run(folder / name)[1]

    assert (code, report["records"], report["account"]) == (0, records, None)
    assert report["imported"] == events + 2 * markets == PredictionEvent.objects.count() + 2 * markets
    assert PredictionMarket.objects.count() == PredictionMarketSnapshot.objects.count() == markets
    assert PredictionMarket.objects.resolved().count() == decided
    assert (str(total(PredictionEvent)), str(total(PredictionMarket))) == (volume_of_events, volume_of_markets)
    assert (again["imported"], again["updated"], again["conflicts"], again["rejected"]) == (0, 0, 0, 0)


def test_every_digit_of_the_tokens_survives(folder) -> None:
    run(folder)
    told = {}
    for path in folder.glob("gamma_*.json"):
        read = json.loads(path.read_text())
        for one in read["events"] if isinstance(read, dict) and "events" in read else [read]:
            for each in one if isinstance(one, list) else one["markets"]:
                told[each["id"]] = json.loads(each["clobTokenIds"])

    kept = PredictionMarket.objects.values_list("market_id", "yes_token_id", "no_token_id")
    assert {key: [yes, no] for key, yes, no in kept} == told
    assert {len(token) for tokens in told.values() for token in tokens} >= {77, 78}


def test_the_folder_is_read_in_an_order_in_which_it_makes_sense(folder) -> None:
    code, report, _ = run(folder)

    # 24 markets of 5 events; 5 of them and their event were told twice, and the order book tells of those five.
    assert (code, counts(report)) == (0, (58, 11, 12, 0, 0))
    assert counts(run(folder)[1]) == (0, 0, 81, 0, 0)
    assert PredictionMarketSnapshot.objects.count() == 29
    minimum = PredictionMarket.objects.get(market_id="906973").market_data["clob"]["r"]["mi"]
    assert minimum == 100


def test_of_two_snapshots_of_a_source_the_later_holds_in_either_order(folder) -> None:
    run(folder / EVENT)
    moved = counts(run(folder / SEARCH)[1])
    forwards = stored()
    for model in (PredictionEvent, PredictionMarket):
        model.objects.all().delete()
    run(folder / SEARCH)
    run(folder / EVENT)

    assert moved == (14, 6, 0, 0, 0)
    assert stored() == forwards
    assert PredictionMarket.objects.get(market_id="906973").volume == D("5614698.093344905")


def test_a_decided_market_says_how_and_when(folder) -> None:
    run(folder / SEARCH)

    found = PredictionMarket.objects.resolved().values_list("market_id", "resolved_outcome")
    assert dict(found) == {"521836": "YES", "521834": "NO", "521835": "NO", "521837": "NO"}
    assert PredictionMarket.objects.get(market_id="521836").resolved_at.isoformat() == "2025-06-18T21:18:38+00:00"


def test_a_planted_broken_record_is_named_by_line_and_the_rest_goes_in(write) -> None:
    path = write(event(market(1), market(2, outcomePrices='["0.4"'), "no market", market(3, volume="many"), market(4)))
    lines = path.read_text().splitlines()

    code, report, _ = run(path)

    assert (code, counts(report)) == (0, (5, 0, 0, 0, 3))
    places = [(row["path"], row["field"]) for row in report["rejected_rows"]]
    assert places == [("markets[1]", "outcomePrices"), ("markets[2]", ""), ("markets[3]", "volume")]
    assert lines[report["rejected_rows"][1]["line"] - 1].strip() == '"no market",'
    assert set(PredictionMarket.objects.values_list("market_id", flat=True)) == {"1", "4"}


def test_what_a_market_is_stays_and_the_other_telling_is_kept(write) -> None:
    run(write(event(market(1))))
    later = {"updatedAt": "2026-05-17T07:00:00Z", "outcomePrices": '["0.5", "0.5"]'}

    code, report, _ = run(write(event(market(1, clobTokenIds='["11", "13"]', **later))))

    assert (code, counts(report)) == (0, (1, 0, 1, 1, 0))
    (row,) = report["conflict_rows"]
    assert (row["external_id"], row["fields"]) == ("1", {"no_token_id": {"stored": "12", "told": "13"}})
    assert PredictionMarket.objects.get().yes_price == D("0.4")
    assert DeadLetter.objects.get().kind == "prediction_market"
    # Once kept it is not kept again.
    run(write(event(market(1, clobTokenIds='["11", "13"]', **later))))
    assert DeadLetter.objects.count() == 1


def test_a_moment_that_is_told_otherwise_is_a_conflict(write) -> None:
    run(write(event(market(1))))

    report = run(write(event(market(1, volume="11"))))[1]

    assert counts(report) == (0, 0, 2, 1, 0)
    assert report["conflict_rows"][0]["fields"] == {"volume": {"stored": "10.5", "told": "11"}}
    assert PredictionMarket.objects.get().volume == D("10.5")


def test_the_order_book_tells_nothing_of_a_market_that_is_not_there(folder) -> None:
    code, report, _ = run(folder / CLOB)

    assert (code, counts(report)) == (1, (0, 0, 0, 0, 5))
    assert {row["field"] for row in report["rejected_rows"]} == {"condition_id"}
    assert not PredictionMarket.objects.exists()


def test_a_dry_run_counts_and_stores_nothing(folder) -> None:
    assert run(folder / EVENT, "--dry-run")[1]["imported"] == 11
    assert not PredictionEvent.objects.exists()


def test_what_belongs_to_no_account_is_imported_to_none(folder) -> None:
    code, _, error = run(folder / EVENT, "--account", "momentum")

    assert code == 2
    assert "belongs to no account" in error


def test_something_else_is_named_as_such(write) -> None:
    code, report, _ = run(write({"trades": []}))

    assert code == 1
    assert "no answer of Polymarket" in report["unreadable"][0]["rule"]

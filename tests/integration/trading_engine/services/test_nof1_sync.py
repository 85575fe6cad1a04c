"""`sync_nof1` against a nof1.ai on the loopback that serves the recorded answers, and fails in every way it can."""

from __future__ import annotations

import copy
import io
import json

import pytest
from django.core.management import call_command

from friren.core.models import SystemMetadata
from friren.errors import ConfigurationError, RejectedRecordError
from friren.operations.jobs import registered
from friren.persistence.models import DeadLetter
from tests.nof1_stub import Nof1Stub, body, hang_up, silence, status
from trading_engine.data.http_pull import HttpPuller
from trading_engine.models import Trade
from trading_engine.services.nof1_sync import ANSWERS, Answer, sync_nof1

pytestmark = pytest.mark.usefixtures("database")

FEW = 12
TRADES = (Answer("trades", "trades"),)


@pytest.fixture(scope="module")
def recorded(shared_data):
    return shared_data / "nof1" / "2025-10-26"


@pytest.fixture
def trades(recorded):
    """The first of the recorded trades; all of them take long, and one test takes them all."""
    told = json.loads((recorded / "trades.json").read_text())
    return {**told, "trades": told["trades"][:FEW]}


@pytest.fixture
def api(recorded, trades):
    stub = Nof1Stub()
    stub.serve("trades", trades)
    stub.bodies["positions"] = (recorded / "positions.json").read_bytes()
    stub.bodies["account-totals"] = (recorded / "account-totals.excerpt.json").read_bytes()
    yield stub
    stub.shutdown()
    stub.server_close()


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def pull(api, waits, tmp_path):
    """Pull once; return what became of each answer."""

    def once(*, account="", answers=TRADES, timeout=5.0, budget=60.0):
        puller = HttpPuller(api.url, timeout=timeout, budget=budget, sleep=waits.append, jitter=lambda: 0.5)
        return sync_nof1(puller, folder=tmp_path, account=account, answers=answers)

    return once


def command(api, *arguments):
    screen, errors = io.StringIO(), io.StringIO()
    code = 0
    try:
        call_command("sync_nof1", "--url", api.url, "--json", *arguments, stdout=screen, stderr=errors)
    except SystemExit as exc:
        code = exc.code
    return code, json.loads(screen.getvalue()), errors.getvalue()


def test_all_recorded_trades_are_pulled_once(api, recorded) -> None:
    api.bodies["trades"] = (recorded / "trades.json").read_bytes()

    code, first, errors = command(api)
    again = command(api)[1]
    api.tags = False
    without_tags = command(api)[1]

    assert (code, errors) == (0, "")
    told = {each["name"]: each for each in first["answers"]}
    assert (told["trades"]["records"], told["trades"]["imported"], told["trades"]["rejected"]) == (230, 460, 0)
    named = {each["id"] for each in json.loads(api.bodies["trades"])["trades"]}
    stored = set(Trade.objects.filter(account__name="copy_ai").values_list("external_id", flat=True))
    assert stored >= {f"{key}:{leg}" for key in named for leg in ("entry", "exit")}
    assert {name: again["answers"][0][name] for name in ("outcome", "imported")} == {
        "outcome": "unchanged",
        "imported": 0,
    }
    assert without_tags["answers"][0]["duplicates"] == 460
    assert (again["imported"], without_tags["imported"]) == (0, 0)


def test_each_answer_is_asked_for_one_after_the_other_with_a_pause(api, pull, waits) -> None:
    found = pull(answers=ANSWERS)

    assert [name for name, _query, _tag in api.asked] == ["trades", "positions", "account-totals"]
    assert api.asked[1][1] == {"limit": ["1000"]}
    assert waits == [0.5, 0.5]
    assert found[0].outcome == "imported"
    assert {each.outcome for each in found} <= {"imported", "skipped"}


def test_trades_that_came_meanwhile_are_added(api, pull, trades) -> None:
    api.serve("trades", {**trades, "trades": trades["trades"][: FEW - 3]})
    pull()
    api.serve("trades", trades)

    (found,) = pull()

    assert found.imported is not None
    assert (found.imported.imported, found.imported.duplicates) == (6, 2 * (FEW - 3))
    assert Trade.objects.count() == 2 * FEW


def test_a_fact_that_is_told_otherwise_is_a_conflict_and_stays(api, pull, trades) -> None:
    pull()
    stored = dict(Trade.objects.values_list("external_id", "price"))
    changed = copy.deepcopy(trades)
    changed["trades"][3]["exit_price"] += 1
    api.serve("trades", changed)

    (found,) = pull()
    pull()

    assert found.imported is not None
    assert (found.outcome, found.imported.conflicts, found.imported.duplicates) == ("imported", 1, 2 * FEW - 1)
    assert dict(Trade.objects.values_list("external_id", "price")) == stored
    (letter,) = DeadLetter.objects.all()
    assert "price is" in letter.error
    assert "trades.json" in letter.error


@pytest.mark.parametrize(
    ("troubles", "asked"),
    [
        pytest.param([status(500), status(503)], 3, id="server errors"),
        pytest.param([silence(0.5)], 2, id="silence"),
        pytest.param([hang_up(b'{"trades": [', 9_999)], 2, id="breaks off"),
        pytest.param([status(429, Retry_After="7")], 2, id="too many"),
    ],
)
def test_what_may_pass_is_tried_again(api, pull, waits, troubles, asked) -> None:
    api.troubles["trades"].extend(troubles)

    (found,) = pull(timeout=0.2)

    assert found.outcome == "imported"
    assert api.asked_for("trades") == asked
    # Half of 2, 4, … seconds; or what the server asks for, if that is longer.
    assert waits == ([7.0] if asked == 2 and waits[0] > 1 else [1.0, 2.0][: asked - 1])


@pytest.mark.parametrize(
    ("troubles", "asked", "told"),
    [
        pytest.param([status(500)] * 3, 3, "500", id="for good"),
        pytest.param([status(403)], 1, "403", id="refused"),
        pytest.param([status(404)], 1, "404", id="unknown"),
        pytest.param([body(b"<html>we are down</html>")], 1, "broken JSON", id="a page"),
        pytest.param([body(b'{"trades": [{"id": "x"')], 1, "", id="cut-off JSON"),
        pytest.param([body(b"")], 1, "", id="nothing"),
        pytest.param([body(b'{"error": "later"}')], 1, "no answer of the API", id="another answer"),
    ],
)
def test_what_does_not_pass_fails_is_named_and_is_pulled_again_later(api, pull, troubles, asked, told) -> None:
    api.troubles["trades"].extend(troubles)

    (found,) = pull()

    assert (found.outcome, api.asked_for("trades")) == ("failed", asked)
    assert told in found.error
    assert not SystemMetadata.objects.filter(key__startswith="sync_nof1/").exists()
    (found,) = pull()
    assert found.imported is not None
    assert found.imported.imported == 2 * FEW


def test_nobody_waits_longer_than_the_budget(api, pull, waits) -> None:
    api.troubles["trades"].extend([status(503, Retry_After="3600")])

    (found,) = pull(budget=5.0)

    assert (found.outcome, waits, api.asked_for("trades")) == ("failed", [], 1)


def test_a_record_that_is_refused_is_asked_for_again(api, pull, trades) -> None:
    broken = copy.deepcopy(trades)
    broken["trades"][2]["side"] = "sideways"
    api.serve("trades", broken)

    (first,) = pull()
    (second,) = pull()

    for found in (first, second):
        assert found.imported is not None
        assert found.imported.rejected == 1
    assert api.asked[-1][2] == "", "an unchanged answer would hide it"
    api.serve("trades", trades)
    (mended,) = pull()
    assert mended.imported is not None
    assert mended.imported.imported == 2


def test_goes_on_from_the_last_mark_and_starts_anew_elsewhere(api, pull, trades) -> None:
    marked = (Answer("trades", "trades", since="lastHourlyMarker", mark="lastHourlyMarkerRead"),)
    api.serve("trades", {**trades, "lastHourlyMarkerRead": 254})

    pull(answers=marked)
    api.serve("trades", {**trades, "trades": [], "lastHourlyMarkerRead": 260})
    pull(answers=marked)
    pull(answers=marked)
    row = SystemMetadata.objects.get(key="sync_nof1/copy_ai/trades")
    row.value = row.value.replace("127.0.0.1", "elsewhere")
    row.save()
    pull(answers=marked)

    assert [query.get("lastHourlyMarker") for _name, query, _tag in api.asked] == [None, ["254"], ["260"], None]


def test_one_answer_that_fails_keeps_no_other_from_being_imported_and_the_command_from_success(api) -> None:
    api.troubles["positions"].append(status(403))

    code, report, errors = command(api)

    assert (code, report["imported"] >= 2 * FEW) == (1, True)
    assert "error: positions: " in errors
    assert "403" in errors


def test_books_that_are_named_have_to_be_open(api, pull) -> None:
    with pytest.raises(ConfigurationError, match="no account"):
        pull(account="typo")


@pytest.mark.parametrize("url", ["ftp://example.org", "nof1.ai/api", "file:///etc/passwd", "https://me:pw@example.org"])
def test_an_address_that_is_none_is_refused(url) -> None:
    with pytest.raises(RejectedRecordError, match="address"):
        HttpPuller(url)


def test_an_answer_that_never_ends_is_none(api, pull, monkeypatch) -> None:
    monkeypatch.setattr("trading_engine.data.http_pull.BYTES_MAX", 1000)

    (found,) = pull()

    assert "more than 1000 bytes" in found.error


def test_it_is_scheduled_and_off_unless_somebody_wants_it() -> None:
    assert registered()["sync_nof1"].command == ("sync_nof1",)
    assert registered()["sync_nof1"].cron == ""

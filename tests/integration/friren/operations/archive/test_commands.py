"""`archive` and `unarchive` as an operator types them."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from friren.operations.archive.policies import named_policy
from friren.operations.models import ArchiveRun
from tests.integration.friren.operations.archive.conftest import archived, fill, live


def said(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def told(*arguments: str) -> dict:
    return json.loads(said(*arguments, "--json"))


def test_a_dry_run_tells_the_rows_of_each_model_and_moves_none() -> None:
    fill(named_policy("Signal"))

    report = told("archive", "--dry-run")

    assert report["per_table"]["trading_engine_signal"]["moved"] == 3
    assert (report["moved"], report["dry_run"], report["verified"]) == (3, True, False)
    assert len(live("Signal")) == 3
    assert "trading_engine_signal: 3 rows before" in said("archive", "--dry-run")


def test_there_and_back() -> None:
    fill(named_policy("Signal"))

    report = told("archive", "--older-than", "30d", "--model", "signal")
    assert (report["moved"], report["verified"]) == (3, True)
    assert len(archived("Signal")) == 3
    assert "3 rows" in said("unarchive", "--run", str(ArchiveRun.objects.get().id), "--dry-run")
    assert told("unarchive", "--model", "Signal", "--since", "2024-01-01")["moved"] == 3
    assert len(live("Signal")) == 3


def test_into_files_and_back(tmp_path) -> None:
    pytest.importorskip("pyarrow", reason="Parquet is pyarrow's, group data")
    fill(named_policy("Signal"))

    report = told("archive", "--older-than", "60d", "--model", "Signal", "--cold", str(tmp_path))

    assert [(one["month"], one["rows"]) for one in report["files"]] == [("2024-01", 3)]
    assert archived("Signal") == []
    back = told("unarchive", "--model", "Signal", "--cold", str(tmp_path))
    assert (back["moved"], len(back["files"]), len(live("Signal"))) == (3, 1, 3)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["archive", "--older-than", "soon"], "'soon': write an age such as 90d or 12w, or a date such as 2024-01-31"),
        (["archive", "--older-than", "2999-01-01"], "'2999-01-01': lies ahead; only what is over can be archived"),
        (["archive", "--model", "PeriodCheckpoint"], "PeriodCheckpoint is not archived: few rows, and the books are"),
        (["unarchive"], "give either --model"),
        (["unarchive", "--run", "1", "--model", "Signal"], "give either --model"),
    ],
)
def test_what_cannot_be_done_is_one_plain_line(arguments, line) -> None:
    with pytest.raises(CommandError, match="^" + line.replace("(", r"\(")):
        said(*arguments)

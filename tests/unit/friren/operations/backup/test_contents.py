"""What two databases differ in is named."""

from __future__ import annotations

import pytest

from friren.operations.backup.contents import Table, differences
from tests.backups import some_contents

TABLES = some_contents().tables


def test_equal_ones_differ_in_nothing() -> None:
    assert differences(some_contents(), some_contents(sequences={"public.seq": (11, 11)})) == []


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ({"tables": {"public.trade": TABLES["public.trade"]}}, "table public.symbol is missing"),
        ({"tables": TABLES | {"public.trade": Table(2, "-17")}}, "table public.trade has 2 rows, not 3"),
        (
            {"tables": TABLES | {"public.symbol": Table(1, "6")}},
            "table public.symbol has as many rows, of other content",
        ),
        ({"tables": TABLES | {"public.more": Table(0, "0")}}, "table public.more is new"),
        ({"sequences": {}}, "sequence public.seq is missing"),
        ({"sequences": {"public.seq": (9, 9)}}, "sequence public.seq stands at 9, not between 10 and 12"),
        ({"sequences": {"public.seq": (13, 13)}}, "sequence public.seq stands at 13, not between 10 and 12"),
        ({"migrations": ["core.0001_initial"]}, "migrations differ: core.0002_seed"),
        ({"objects": {"grants": {"public.trade": "bb"}}}, "constraints: public.trade positive is missing"),
        (
            {"objects": {"constraints": {"public.trade positive": "ab"}, "grants": {"public.trade": "bb"}}},
            "constraints: public.trade positive differs",
        ),
    ],
)  # fmt: skip
def test_says_what_differs(found, told) -> None:
    assert differences(some_contents(), some_contents(**found)) == [told]


def test_privileges_that_were_not_restored_are_not_compared() -> None:
    objects = {"constraints": {"public.trade positive": "aa"}, "grants": {}}

    assert differences(some_contents(), some_contents(objects=objects), grants=False) == []
    assert differences(some_contents(), some_contents(objects=objects)) == ["grants: public.trade is missing"]

"""Reports as JSON."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
from django.db.models import TextChoices

from friren.operations.jsontext import json_ready


class Colour(TextChoices):
    RED = "red", "Red"


@dataclasses.dataclass
class Pair:
    price: Decimal
    at: dt.datetime


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("187.320000"), "187.32"),
        (Decimal("1E-18"), "0.000000000000000001"),
        (0.25, 0.25),
        (float("nan"), None),
        (float("inf"), None),
        (True, True),
        (7, 7),
        (None, None),
        (Colour.RED, "red"),
        (dt.datetime(2026, 1, 2, 3, tzinfo=dt.UTC), "2026-01-02T03:00:00+00:00"),
        (dt.date(2026, 1, 2), "2026-01-02"),
        (dt.timedelta(minutes=1), 60.0),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Path("/a b"), "/a b"),
        ({"a": [Decimal("1.0")], Colour.RED: (1,)}, {"a": ["1"], "red": [1]}),
        (
            Pair(Decimal("1.50"), dt.datetime(2026, 1, 1, tzinfo=dt.UTC)),
            {"price": "1.5", "at": "2026-01-01T00:00:00+00:00"},
        ),
    ],
)
def test_writes_every_kind_of_value(value, expected) -> None:
    assert json.loads(json.dumps(json_ready(value), allow_nan=False)) == expected


def test_refuses_what_has_no_form() -> None:
    with pytest.raises(TypeError, match="object has no JSON form"):
        json_ready(object())

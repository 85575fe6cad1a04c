"""Identities made without a database: ordered by time, or derived from a natural key."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from friren.core.ids import FRIREN_NAMESPACE, natural_id, new_id

NOON = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
parts = st.lists(
    st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\x1f\x1bse"), max_size=6), max_size=4
)


def test_new_ids_are_of_version_seven_and_ordered() -> None:
    made = [new_id() for _ in range(1000)]

    assert {(type(key), key.version) for key in made} == {(UUID, 7)}
    assert made == sorted(made)


def test_new_ids_of_many_threads_are_all_different() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = [key for keys in pool.map(lambda _: [new_id() for _ in range(500)], range(8)) for key in keys]

    assert len(set(made)) == 4000


def test_natural_ids_are_fixed_for_ever() -> None:
    # Stored in every database there is: if one of these changes, facts told again are stored twice.
    assert UUID("8e92423d-994e-52ac-aaed-ceed5a08ca16") == FRIREN_NAMESPACE
    assert natural_id("account", "system", "momentum") == UUID("63d5c6df-3c37-5741-b386-fa04405b11ac")
    assert natural_id("price", "AAPL", None, Decimal("1.50"), NOON) == UUID("6f9cf6bc-0661-59cc-82ec-f6713b2fd7fd")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (NOON, NOON.astimezone(zoneinfo.ZoneInfo("Asia/Kolkata"))),
        (Decimal("1.50"), Decimal("1.5")),
        (Decimal("1E+2"), 100),
        (Decimal("-0"), 0),
        (FRIREN_NAMESPACE, str(FRIREN_NAMESPACE)),
    ],
    ids=str,
)
def test_equal_keys_give_equal_ids_however_they_are_written(one, other) -> None:
    assert natural_id("kind", one) == natural_id("kind", other)


def test_kinds_do_not_share_ids() -> None:
    assert natural_id("trade", "77") != natural_id("order", "77")


@given(parts, parts)
def test_different_keys_give_different_ids(one, other) -> None:
    assume(one != other)

    assert natural_id("kind", *one) != natural_id("kind", *other)

"""
What no parameter may be, by kind of parameter.

A kind is a list of values, each wrong for every parameter of the kind; the test of the loggers says which
parameter is of which kind. "None" stands among them only where a value is required.
"""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any, Final

import numpy as np
import pandas as pd

__all__ = ["KINDS", "required"]

NOON: Final = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
NUL: Final = "a\x00b"
SURROGATE: Final = "a\ud800b"
TEXT_LENGTH_MAX: Final = 1_000_000
JSON_DEPTH_MAX: Final = 32
PAGE_ROWS_MAX: Final = 100_000


class Foreign:
    """A value of a type that nobody knows, whose repr() fails."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")


def _deep(levels: int) -> dict[str, Any]:
    tree: Any = 1
    for _ in range(levels):
        tree = {"a": tree}
    return tree


def _cycle() -> dict[str, Any]:
    tree: dict[str, Any] = {}
    tree["a"] = tree
    return tree


NO_NUMBERS: Final = [
    "1", "", b"1", [], {}, (), True, False, 1j, Foreign(), NOON, np.int64(1), np.float64(1), np.bool_(True),
    Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("-Infinity"),
    float("nan"), float("inf"), float("-inf"), np.float64("nan"),
]  # fmt: skip
MONEY: Final = [
    *NO_NUMBERS, 1.0, 0.1,
    Decimal("0.1234567890123456789"), Decimal("1E-19"), Decimal("1E-1000000"),
    10**20, -(10**20), 10**5000, Decimal("100000000000000000000.5"), Decimal("1E+1000000"),
]  # fmt: skip
QUANTITY: Final = [*MONEY, 0, Decimal(0), Decimal("-0"), -1, Decimal("-0.000000000000000001")]
COUNT: Final = [*NO_NUMBERS, 1.0, Decimal(1), -(2**63) - 1, 2**63]
NO_TEXT: Final = [
    5, 0, 1.0, True, b"text", ["text"], {"a": 1}, Decimal(1), NOON, Foreign(), np.str_("text"), NUL, SURROGATE,
]  # fmt: skip
TIME: Final = [
    NOON.replace(tzinfo=None), NOON.date(), "2026-01-05T12:00:00+00:00", "", 1767614400, 1767614400.0, True, Foreign(),
    pd.NaT, np.datetime64("2026-01-05T12:00"), np.datetime64("NaT"), pd.Timestamp("2026-01-05 12:00"),
    pd.Timestamp("2026-01-05 12:00:00.000000001", tz="UTC"),
    dt.datetime.max.replace(tzinfo=dt.timezone(dt.timedelta(hours=-1))),
    dt.datetime.min.replace(tzinfo=dt.timezone(dt.timedelta(hours=1))),
]  # fmt: skip
UUIDS: Final = [
    "", "no uuid", 5, 1.0, True, b"0" * 16, [], Foreign(), NUL, SURROGATE,
    uuid.uuid4().hex, "{" + str(uuid.uuid4()) + "}", "urn:uuid:" + str(uuid.uuid4()),
]  # fmt: skip
JSON_TREES: Final = [
    {"a": float("nan")}, {"a": [1, float("inf")]}, {"a": {"b": float("-inf")}}, {"a": Decimal("NaN")},
    {"a": Decimal("1E+2000")}, {"a": Decimal("1E-2000")}, {"a": 10**1000}, {"a": np.int64(1)}, {"a": np.float64(1)},
    {"a": b"x"}, {"a": NOON}, {"a": {1, 2}}, {"a": Foreign()}, {"a": NUL}, {"a": SURROGATE}, {NUL: 1}, {SURROGATE: 1},
    {1: 1}, {None: 1}, {("a",): 1}, {"a": {2.5: 1}}, _deep(JSON_DEPTH_MAX), _cycle(),
]  # fmt: skip


def text(length: int = TEXT_LENGTH_MAX, *, blank: bool = True) -> list[Any]:
    """Return what is no text of at most `length` characters."""
    return [*NO_TEXT, "x" * (length + 1), *([] if blank else [""])]


def measure(minimum: float, maximum: float) -> list[Any]:
    """Return what is no statistic within the bounds."""
    beyond = [minimum - 0.5, maximum + 0.5, Decimal(str(maximum)) + Decimal("0.000000000001"), 10**400]
    return [*NO_NUMBERS, *beyond, Decimal("1E+1000000")]


def required(values: list[Any]) -> list[Any]:
    """Return the same for a parameter that must be given."""
    return [*values, None]


_UNKNOWN_CHOICES: Final = [*NO_TEXT, "no such choice", " ", "x" * 1000]
SYMBOLS: Final = [
    *text(100, blank=False), ("AAPL", 5), ("AAPL", "x" * 51), ("AAPL", NUL), ("", "XNAS"), ("A", "B", "C"), (),
]  # fmt: skip
PAIRS: Final = [
    "AAPL/MSFT", 5, True, b"x", Foreign(), (), ("AAPL",), ("AAPL", "MSFT", "GOOG"), ("AAPL", "AAPL"), ("AAPL", None),
    *(("AAPL", symbol) for symbol in SYMBOLS), *((symbol, "AAPL") for symbol in SYMBOLS),
]  # fmt: skip
PAGES: Final = [
    "x", 5, (), (NOON,), [NOON, uuid.uuid4()], (NOON.replace(tzinfo=None), uuid.uuid4()), (NOON, "x"), Foreign(),
]  # fmt: skip
KINDS: Final[dict[str, list[Any]]] = {
    "money": MONEY,
    "money above 0": [*MONEY, 0, -1],
    "money other than 0": [*MONEY, 0, Decimal("-0")],
    "cash": [*MONEY, -1, Decimal("-0.01")],
    "price": MONEY,
    "payout": [*MONEY, -1, Decimal("1.01")],
    "quantity": QUANTITY,
    "quantity or 0": [*MONEY, -1, Decimal("-0.000000000000000001")],
    "percent": measure(0, 100),
    "ratio": measure(0, 1),
    "score": measure(-1, 1),
    "leverage": measure(1, 99999),
    "correlation": measure(-999, 999),
    "stat": [*NO_NUMBERS, 10**400],
    "count": [*COUNT, -1, 2**31],
    "bigint": COUNT,
    "boolean": [0, 1, "True", "", 1.0, [], np.bool_(True), Foreign()],
    "choice": [*_UNKNOWN_CHOICES, ""],
    "choice or empty": _UNKNOWN_CHOICES,
    **{f"text({length})": text(length) for length in (10, 50, 64, 100, 255, 500)},
    **{f"name({length})": text(length, blank=False) for length in (8, 10, 50, 100, 150, 255, 500)},
    "text": text(),
    "reason": text(blank=False),
    **{
        f"texts({length})": [
            "text",
            5,
            {"a": 1},
            {"a"},
            [5],
            ["x" * (length + 1)],
            [NUL],
            [SURROGATE],
            [None],
            [["a"]],
            [np.str_("a")],
        ]
        for length in (64, 100)
    },
    "time": TIME,
    "zone": [*text(64, blank=False), "Mars/Olympus", "../UTC", "/etc/localtime", "no zone"],
    "uuid": UUIDS,
    "key": [*text(255, blank=False), Decimal("NaN")],
    "reference": [*UUIDS, uuid.uuid4(), str(uuid.uuid4())],
    "user": ["", "system", 0, -1, 2**63, 1.0, True, 999_999_999, uuid.uuid4(), Foreign()],
    "soft reference": text(255, blank=False),
    "json": [[1], "text", 5, True, Foreign(), *JSON_TREES],
    "json value": [Foreign(), *JSON_TREES],
    "json list": [{"a": 1}, "text", 5, True, Foreign(), *([tree] for tree in JSON_TREES)],
    "references": ["text", 5, True, Foreign(), {"a": 1}, [None], *([value] for value in UUIDS)],
    "symbol": SYMBOLS,
    "pair": PAIRS,
    "pairs": ["AAPL", 5, True, b"x", {"AAPL": 1}, Foreign(), *([pair] for pair in PAIRS)],
    "share": [*NO_NUMBERS, 10**400, -0.5, 1.5],
    "share of both signs": [*NO_NUMBERS, 10**400, -1.5, 1.5],
    "symbols": ["AAPL", 5, True, b"x", {"AAPL": 1}, Foreign(), *([symbol] for symbol in SYMBOLS)],
    "account": [5, 1.0, True, b"x", [], Foreign(), "", NUL, SURROGATE, "x" * 101],
    "limit": [0, -1, PAGE_ROWS_MAX + 1, 1.0, "5", True, None, Decimal(5), np.int64(5), Foreign()],
    "page": PAGES,
    "prices of a range": [
        5,
        "1, 2",
        [],
        (1,),
        (1, 2, 3),
        (2, 1),
        (1, None),
        Foreign(),
        *((price, None) for price in [*MONEY, None]),
    ],
    "prices": [5, "AAPL", [], None, Foreign(), *({"AAPL": price} for price in MONEY)],
}

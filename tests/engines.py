"""What the tests of the engine adapters share: the examples of the pages, and engines held against what is stored."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator
from decimal import Decimal
from importlib.util import find_spec
from typing import Any

from portfolio_manager.models import LedgerEntry, PortfolioSnapshot
from tests.documentation.pages import ROOT, read_page
from trading_engine.models import BacktestResult, BacktestRun, Trade

HALF_A_CENT = Decimal("0.005")
# What hooks a run up to Friren, on any page.
LINES_MAX = 10


def installed(engine: str) -> bool:
    """Return whether an engine is here; where all groups were installed it has to be."""
    return bool(os.environ.get("FRIREN_TEST_ALL")) or find_spec(engine) is not None


@contextlib.contextmanager
def engines_own_warnings() -> Iterator[None]:
    """Let an engine warn of what it likes: its imports and its plans for pandas are not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def example(page: str, **given: Any) -> dict[str, Any]:
    """Run the Python of a page as a reader would, and return its names."""
    found = read_page(ROOT / "docs" / "how-to" / page)
    names: dict[str, Any] = dict(given)
    blocks = ["\n".join(block.text) for block in found.blocks if block.language == "python"]
    assert blocks, page
    with engines_own_warnings():
        for text in blocks:
            exec(compile(text, page, "exec"), names)
    return names


def hooks_up_in_ten_lines(page: str, *, block: int = -1) -> bool:
    """Return whether what a page adds to a backtest is ten lines of code or fewer."""
    found = [each for each in read_page(ROOT / "docs" / "how-to" / page).blocks if each.language == "python"]
    return 0 < sum(bool(line.strip()) for line in found[block].text) <= LINES_MAX


def same(ours: Decimal, engines: Any) -> bool:
    """Return whether two figures are the same to the cent, however the engine's binary sum came out."""
    return abs(ours - Decimal(repr(float(engines)))) < HALF_A_CENT


def curve(account: str) -> list[Decimal]:
    """The stored equity curve."""
    rows = PortfolioSnapshot.objects.filter(account__name=account).order_by("timestamp")
    return list(rows.values_list("total_value", flat=True))


def cash(account: str) -> Decimal:
    """The cash of the stored books."""
    lines = LedgerEntry.objects.filter(account__name=account)
    return sum(lines.values_list("amount", flat=True), Decimal(0))


def fills(account: str) -> list[Trade]:
    """The stored fills, in the order of the books."""
    return list(Trade.objects.filter(account__name=account).select_related("symbol").order_by("executed_at", "id"))


def signed(trade: Trade) -> Decimal:
    return trade.quantity if trade.action in {"buy", "cover"} else -trade.quantity


def run_of(account: str) -> BacktestRun:
    return BacktestRun.objects.get(account__name=account)


def result_of(account: str) -> BacktestResult:
    return BacktestResult.objects.get(account__name=account)


def differences(account: str, equity: Any) -> list[tuple[int, Decimal, Any]]:
    """Return the places at which the stored curve is not the engine's."""
    stored, said = curve(account), list(equity)
    assert len(stored) == len(said)
    return [
        (place, ours, told) for place, (ours, told) in enumerate(zip(stored, said, strict=True)) if not same(ours, told)
    ]

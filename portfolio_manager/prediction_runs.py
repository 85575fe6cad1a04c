"""Run the prediction cycle over saved answers of a venue, and report what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from friren.accounts import open_account
from friren.core.choices import Environment
from portfolio_manager.prediction_cycle import PredictionCycle
from trading_engine.data.market_exports import market_exports
from trading_engine.strategies import create_market_strategy

__all__ = ["SOURCE", "run_exports"]

SOURCE: Final = "polymarket"
_COUNTS: Final = ("events", "markets", "signals", "trades", "resolved", "rejected")


def run_exports(
    paths: Sequence[Path],
    *,
    source: str,
    account: str,
    starting_cash: Decimal,
    strategy: str,
    parameters: Mapping[str, Any],
    stake: Decimal,
) -> Mapping[str, Any]:
    """
    Take the exports in files and folders through the cycle, the oldest first.

    Args:
        account: name of PAPER books, opened with `starting_cash` if there are none.

    Returns:
        Account, counts over all exports, where the book stands after the last, and each export's own counts.

    Raises:
        UnreadableFileError: a file is no answer of the venue; nothing was traded.
        RejectedRecordError: strategy, parameters or stake make no sense.
        ConfigurationError: the books were opened with other settings.
    """
    cycle_strategy = create_market_strategy(strategy, **parameters)
    exports = market_exports(source, paths)
    book = open_account(account, environment=Environment.PAPER, starting_cash=starting_cash)
    cycle = PredictionCycle(account=book, strategy=cycle_strategy, stake=stake, venue=source)
    try:
        runs = [cycle.run(export) for export in exports]
        standing = cycle.standing()
    finally:
        cycle.close()
    refused: Counter[str] = Counter()
    for run in runs:
        refused.update(run.refused)
    return {
        "account": book.name,
        "strategy": strategy,
        **{name: sum(getattr(run, name) for run in runs) for name in _COUNTS},
        "refused": dict(refused),
        "done_before": sum(run.done_before for run in runs),
        **standing,
        "exports": [run.as_json() for run in runs],
    }

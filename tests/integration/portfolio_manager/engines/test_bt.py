"""Results of the real bt: the example of its page, and what its trees of strategies can do."""

from __future__ import annotations

import pytest

from portfolio_manager.engine_runs import record_run
from portfolio_manager.models import CashMovement
from tests import engines
from trading_engine.backtesting.adapters import from_bt

pytestmark = [
    pytest.mark.usefixtures("database"),
    pytest.mark.skipif(not engines.installed("bt"), reason="bt is not installed: group engines"),
]


def transactions_match(account, result, name) -> None:
    """Hold the stored fills against the engine's own table."""
    ours = {(fill.executed_at.date(), fill.symbol.ticker): fill for fill in engines.fills(account)}
    table = result.get_transactions(name)
    assert len(ours) == len(table) > 0
    for (at, security), row in table.iterrows():
        fill = ours[at.date(), security]
        assert float(engines.signed(fill)) == pytest.approx(row["quantity"], rel=1e-14)
        assert float(fill.price) == pytest.approx(row["price"], rel=1e-14)


def test_the_example_of_the_page_matches_the_engine_to_the_cent() -> None:
    found = engines.example("record-bt.md")
    result, account = found["result"], found["report"].account
    root = result.backtests["balanced"].strategy

    transactions_match(account, result, "balanced")
    assert engines.differences(account, root.values) == []
    assert engines.same(engines.cash(account), root.cash.iloc[-1])
    assert engines.same(found["report"].final_equity, root.values.iloc[-1])
    assert engines.same(sum(fill.commission for fill in engines.fills(account)), root.fees.sum())
    assert engines.hooks_up_in_ten_lines("record-bt.md")


def test_nested_strategies_fractions_flows_and_fees_that_nobody_explains_match() -> None:
    with engines.engines_own_warnings():
        import bt
        import pandas as pd
        from arch.data import nasdaq, sp500

        prices = pd.DataFrame({"SP500": sp500.load()["Close"], "NASDAQ": nasdaq.load()["Close"]}).loc["2017":]
        rate = [0.001]

        def commission(quantity, price):
            return abs(quantity) * price * rate[0]

        def grows_dearer(target):
            # Asked when all is over, the function says what 2018 cost: nobody can tell the fees of 2017 from it.
            rate[0] = 0.002 if target.now.year > 2017 else 0.001
            return True

        def leaf(name, security):
            algos = [bt.algos.RunMonthly(), bt.algos.SelectThese([security]), bt.algos.WeighEqually()]
            return bt.Strategy(name, [*algos, bt.algos.Rebalance()], [security])

        flows = [bt.algos.RunQuarterly(), bt.algos.CapitalFlow(1_000.5)]
        algos = [grows_dearer, bt.algos.RunMonthly(), bt.algos.WeighSpecified(one=0.6, two=0.3), bt.algos.Rebalance()]
        root = bt.Strategy(
            "root", [bt.algos.Or([bt.AlgoStack(*flows), bt.AlgoStack(bt.algos.RunDaily())]), *algos],
            [leaf("one", "SP500"), leaf("two", "NASDAQ")],
        )  # fmt: skip
        made = bt.Backtest(root, prices, initial_capital=100_000, commissions=commission, integer_positions=False)
        result = bt.run(made)

    report = record_run(from_bt(result, strategy="root"))

    strategy = result.backtests["root"].strategy
    transactions_match(report.account, result, "root")
    assert engines.differences(report.account, strategy.values) == []
    moved = CashMovement.objects.filter(account__name=report.account).exclude(reason="opening deposit")
    assert set(moved.values_list("kind", flat=True)) == {"FEE", "DEPOSIT"}
    assert {each.occurred_at.year for each in moved if each.kind == "FEE"} == {2017}
    assert {fill.executed_at.year for fill in engines.fills(report.account) if fill.commission} == {2018}

"""Money and holdings that move between accounts, by tellers who are killed: none is made and none is lost."""

from __future__ import annotations

import contextlib
import itertools
import random
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from tests.faults.bank_script import ACCOUNTS, CASH, HALVES, SYMBOLS, content_of, deal_of, rows_of
from tests.faults.crew import Child, Crew
from tests.faults.ground import Ground
from tests.faults.history import Call, Told, read_history
from tests.faults.kills import SMALL, Result, judge
from tests.faults.outages import outcomes

__all__ = ["bank"]

TELLERS = 3
# What a teller has written down at most when it is killed: about sixty deals.
LIFE_BYTES = 6_000
# Rounds in which deals are made again under kills too, the last of them while PostgreSQL is away.
ROUNDS_AGAIN = 3


def bank(crew: Crew, *, rounds: int, seed: int) -> Result:
    """
    Let several tellers at a time make deals, and kill them; in every third round PostgreSQL is away.

    Before anything is made again exactly the halves are there that were acknowledged, and perhaps those that a kill cut
    off. Afterwards every deal is made again that was not acknowledged whole, and some that were, by tellers who
    are killed too, and in the end by one who is not: then every deal is there, once.

    Args:
        crew: on a server of its own, which is stopped and started.
    """
    chance, history, numbers = random.Random(seed), dict[str, Call](), itertools.count(1)
    crew.do("open_bank")
    killed = sum(_round(crew, history, chance, numbers, turn=turn, again=False) for turn in range(rounds))
    first = judge(crew, list(history.values()), rows=rows_of, expected=content_of)
    halves = _half_done(crew.ground)
    first.wrong += _money(crew, halves)
    killed += sum(_round(crew, history, chance, numbers, turn=turn, again=True) for turn in range(ROUNDS_AGAIN))
    with _teller(crew, next(numbers), again=_unfinished(history, chance), count=0) as last:
        if last.wait() != 0:
            raise AssertionError(crew.said())
    _add(history, last)
    result = judge(crew, list(history.values()), rows=rows_of, expected=content_of)
    result.wrong += [f"before anything was made again: {line}" for line in first.wrong] + _money(crew, [])
    if result.findings.unknown:
        result.wrong.append(f"{result.findings.unknown} halves are unknown after all was made again")
    if not halves:
        result.wrong.append("no deal was half done: the hard part was not reached")
    result.figures |= {
        "deals": len(history) // 2, "half_done": len(halves), "killed": killed, "seed": seed,
        "before": str(first.findings), "outcomes": outcomes(list(history.values())),
    }  # fmt: skip
    return result


def _round(
    crew: Crew, history: dict[str, Call], chance: random.Random, numbers: Iterator[int], *, turn: int, again: bool
) -> int:
    """Let tellers work side by side until each is killed; return how many were."""
    killed, away = 0, turn % 3 == 2
    with contextlib.ExitStack() as stack:
        tellers = []
        for number in itertools.islice(numbers, TELLERS):
            deals = _unfinished(history, chance) if again else []
            chance.shuffle(deals)
            tellers.append(stack.enter_context(_teller(crew, number, again=deals, count=10_000)))
        for teller in tellers:
            teller.began()
        if away:
            crew.ground.server.stop()
        for teller in tellers:
            teller.began(chance.randint(1, LIFE_BYTES))
            killed += teller.wait(0) is None
            teller.kill()
        if away:
            crew.ground.server.start()
    for teller in tellers:
        _add(history, teller)
    return killed


@contextlib.contextmanager
def _teller(crew: Crew, number: int, **options: Any) -> Iterator[Child]:
    with crew.at_work("make_deals", number=number, options=options, settings=SMALL) as child:
        yield child


def _add(history: dict[str, Call], teller: Child) -> None:
    """Add what a teller was told: of a half that was told twice, what is certain."""
    for call in read_history(teller.log, entity_of=lambda _key: ""):
        known = history.get(call.key)
        if known is None or known.told is Told.UNKNOWN:
            history[call.key] = call
    teller.log.unlink()


def _unfinished(history: dict[str, Call], chance: random.Random) -> list[str]:
    """Return the deals that were not acknowledged whole, and a few that were."""
    deals = sorted({half.rpartition(".")[0] for half in history})
    return [key for key in deals if not _whole(history, key) or chance.random() < 0.05]


def _whole(history: dict[str, Call], key: str) -> bool:
    return all((call := history.get(f"{key}.{which}")) and call.told is Told.OK for which in HALVES)


def _half_done(ground: Ground) -> list[str]:
    """Return the halves that are stored without their other half."""
    with ground.connect() as connection:
        stored = {row.key for row in rows_of(connection)}
    return [f"{key}.{which}" for key, _, which in (half.rpartition(".") for half in stored)
            if f"{key}.{'b' if which == 'a' else 'a'}" not in stored]  # fmt: skip


_CASH = """
    SELECT a.name, s.balance,
           (SELECT coalesce(sum(c.amount), 0) FROM portfolio_manager_cashmovement c WHERE c.account_id = a.id),
           (SELECT coalesce(sum(CASE p.side WHEN 'SHORT' THEN -p.total_cost ELSE p.total_cost END), 0)
            FROM portfolio_manager_position p WHERE p.account_id = a.id),
           (SELECT coalesce(sum(p.realized_pnl), 0) FROM portfolio_manager_position p WHERE p.account_id = a.id)
    FROM core_account a JOIN portfolio_manager_accountstate s ON s.account_id = a.id WHERE a.name = ANY(%s)"""
_HELD = """
    SELECT s.ticker, sum(CASE p.side WHEN 'SHORT' THEN -p.quantity ELSE p.quantity END)
    FROM portfolio_manager_position p JOIN trading_engine_symbol s ON s.id = p.symbol_id
    JOIN core_account a ON a.id = p.account_id WHERE a.name = ANY(%s) GROUP BY s.ticker"""


def _money(crew: Crew, halves: list[str]) -> list[str]:
    """
    Return what is wrong with money and holdings.

    Args:
        halves: of deals whose other half is not there: only they may have changed the sums.
    """
    wrong = [f"books differ: {line}" for line in crew.do("bank_books")["differences"][:5]]
    cash, held = CASH * len(ACCOUNTS), dict.fromkeys(SYMBOLS, Decimal(0))
    for half in halves:
        key, _, which = half.rpartition(".")
        deal, sign = deal_of(key), 1 if which == "a" else -1
        cash -= sign * deal.amount * (deal.quantity or 1)
        held[deal.symbol] += sign * deal.quantity
    with crew.ground.connect() as connection:
        books = connection.execute(_CASH, [list(ACCOUNTS)]).fetchall()
        found = dict(connection.execute(_HELD, [list(ACCOUNTS)]).fetchall())
    if (total := sum(balance for _name, balance, *_ in books)) != cash:
        wrong.append(f"the accounts hold {total}, not {cash}")
    wrong += [
        f"{name} holds {balance}, and its movements, positions and profits come to another sum"
        for name, balance, moved, cost, realized in books
        if balance != moved - cost + realized
    ]
    wrong += [f"{found.get(name, 0)} of {name} are held, not {quantity}" for name, quantity in held.items()
              if found.get(name, Decimal(0)) != quantity]  # fmt: skip
    return wrong

"""How backtest runs are stored: the run itself, and the steps of its life, the last with its figures."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

from django.db import IntegrityError, transaction

from friren.core.models import Account
from friren.errors import InvalidTransitionError, KeyReusedError, RejectedRecordError
from friren.persistence.codec import register_record
from friren.persistence.facts import Fact, spec_of
from friren.persistence.handlers import MissingRowError, register_handler
from friren.persistence.policies import KindPolicy, register_policy
from friren.persistence.receipts import Receipt, WriteOutcome
from friren.persistence.values import checked_values
from trading_engine.audited_moves import AuditedMoves
from trading_engine.models import BacktestPair, BacktestResult, BacktestRun
from trading_engine.models.choices import BacktestStatus
from trading_engine.pairs.keys import UNKNOWN, pairs_by_key

__all__ = ["BACKTEST_RUN", "BACKTEST_STEP", "FIGURES", "TOLD_ONCE", "register"]

BACKTEST_RUN: Final = "backtest_run"
BACKTEST_STEP: Final = "backtest_step"

RUN_MOVES: Final = {
    BacktestStatus.PENDING: (BacktestStatus.RUNNING, BacktestStatus.FAILED),
    BacktestStatus.RUNNING: (BacktestStatus.COMPLETED, BacktestStatus.FAILED),
}
# What a run's life changes; the rest is told once.
MOVING: Final = ("status", "status_message", "finished_at")
# What the handlers work out.
REFERENCES: Final = frozenset({"account", "backtest"})
TOLD_ONCE: Final = tuple(name for name in spec_of(BacktestRun).fields if name not in MOVING)
FIGURES: Final = tuple(name for name in spec_of(BacktestResult).fields if name not in REFERENCES)


def register() -> None:
    """Register the kinds `backtest_run` and `backtest_step`."""
    run, result = spec_of(BacktestRun).fields, spec_of(BacktestResult).fields
    step = {"status": str, "status_message": str, "at": dt.datetime, **{name: result[name].wire for name in FIGURES}}
    register_record(BACKTEST_RUN, {"pairs": list[list[str]], **{name: run[name].wire for name in TOLD_ONCE}})
    register_record(BACKTEST_STEP, step)
    register_handler(BACKTEST_RUN, _store_run, after=(Account,))
    register_handler(BACKTEST_STEP, _store_step, after=(BacktestRun,))
    register_policy(BACKTEST_STEP, KindPolicy(ordered=True))


def _store_run(fact: Fact, *, using: str) -> Receipt:
    """Store a run, PENDING; the same run told again changes nothing."""
    values = checked_values(BacktestRun, **{name: fact.values[name] for name in TOLD_ONCE if name in fact.values})
    runs = BacktestRun.objects.using(using)
    before = runs.filter(id=fact.id).exists()
    try:
        with transaction.atomic(using=using):
            runs.bulk_create([BacktestRun(id=fact.id, **values)], ignore_conflicts=True)
    except IntegrityError as exc:
        if not Account.objects.using(using).filter(id=values["account_id"]).exists():
            raise MissingRowError("account", values["account_id"], "is not stored") from exc
        raise RejectedRecordError("user", fact.values.get("user"), "refers to a row that is not stored") from exc
    told = {name: value for name, value in values.items() if name not in MOVING}
    stored = runs.filter(id=fact.id).values(*told).first()
    if stored is None:
        raise RejectedRecordError("account", values["account_id"], "another run has this account as its book")
    if stored != told:
        raise KeyReusedError("run_id", fact.id, "a run with this id is already stored with other content")
    _store_pairs(fact, values["account_id"], using)
    return Receipt(fact.id, WriteOutcome.DUPLICATE if before else WriteOutcome.STORED)


def _store_pairs(fact: Fact, account: Any, using: str) -> None:
    for key in fact.values.get("pairs", ()):
        pair = pairs_by_key.resolve(key, fact, using=using)
        if pair == UNKNOWN:
            raise MissingRowError("pairs", key, "is not stored")
        row = BacktestPair(account_id=account, backtest_id=fact.id, pair_id=pair)
        BacktestPair.objects.using(using).bulk_create([row], ignore_conflicts=True)


def _decide(row: Any, fact: Fact, _seen: None) -> dict[str, Any]:
    """Return what a step changes of its run; nothing when the run is there already."""
    wanted = fact.values["status"]
    if row.status == wanted:
        return {}
    following = RUN_MOVES.get(BacktestStatus(row.status), ())
    if wanted not in following:
        raise InvalidTransitionError("status", wanted, f"{', '.join(following) or 'nothing'} can follow {row.status}")
    moved: dict[str, Any] = {name: fact.values[name] for name in MOVING if name in fact.values}
    return moved if RUN_MOVES.get(BacktestStatus(wanted)) else {**moved, "finished_at": fact.values["at"]}


def _store_step(fact: Fact, *, using: str) -> Receipt:
    """Make a step, and store the figures that came with it."""
    figures = {name: fact.values[name] for name in FIGURES if name in fact.values}
    receipt = _moves.one(fact, using=using)
    return _store_figures(fact, figures, using) if figures else receipt


def _store_figures(fact: Fact, figures: Mapping[str, Any], using: str) -> Receipt:
    account = BacktestRun.objects.using(using).values_list("account_id", flat=True).get(id=fact.id)
    values = checked_values(BacktestResult, account=account, backtest=fact.id, **figures)
    # The run is locked, so nobody else stores its figures now.
    stored = BacktestResult.objects.using(using).filter(backtest=fact.id).values(*values).first()
    if stored == values:
        return Receipt(fact.id, WriteOutcome.DUPLICATE)
    if stored is not None:
        raise KeyReusedError("run", fact.id, "this run is already finished with other figures")
    BacktestResult(**values).save(using=using, force_insert=True)
    return Receipt(fact.id, WriteOutcome.STORED)


_moves: Final = AuditedMoves(BacktestRun, "run", columns=MOVING, decide=_decide)

"""Runs of backtests: one book each, one way through life, figures with their end."""

from __future__ import annotations

import datetime as dt
from uuid import UUID

import pytest
from django.db import transaction

import friren
from friren.core.ids import new_id
from friren.core.models import AuditLog, User
from friren.errors import ConfigurationError, InvalidTransitionError, KeyReusedError, RejectedRecordError
from trading_engine.models import BacktestResult, BacktestRun
from trading_engine.services import BacktestRecorder

START, END = dt.datetime(2020, 1, 2, tzinfo=dt.UTC), dt.datetime(2020, 12, 31, tzinfo=dt.UTC)
RUN = {"name": "sma on AAPL", "starts_at": START, "ends_at": END}
FIGURES = {"total_return": 0.12, "max_drawdown": -0.3, "trade_count": 40, "profit_factor": None}
EDGES = {"PENDING": {"RUNNING", "FAILED"}, "RUNNING": {"COMPLETED", "FAILED"}, "COMPLETED": set(), "FAILED": set()}
WAYS = {"PENDING": [], "RUNNING": ["RUNNING"], "COMPLETED": ["RUNNING", "COMPLETED"], "FAILED": ["FAILED"]}


@pytest.fixture
def runs() -> BacktestRecorder:
    return BacktestRecorder()


@pytest.fixture
def book():
    return friren.open_account("sma-AAPL-1", environment="BACKTEST", starting_cash=100_000)


class TestStart:
    def test_stores_what_was_run(self, runs, book) -> None:
        user = User.objects.get(username="system")
        key = runs.start_run(book, **RUN, strategy_name="sma", parameters={"fast": 10}, seed=7, user=user).id

        run = BacktestRun.objects.get()
        assert (run.id, run.account_id, run.status, run.user_id) == (key, book.id, "PENDING", user.id)
        assert (run.starts_at, run.ends_at, run.parameters, run.seed, run.engine) == (
            START,
            END,
            {"fast": 10},
            7,
            "reference",
        )

    def test_again_changes_nothing(self, runs, book) -> None:
        key = new_id()
        told = [runs.start_run(book, **RUN, run_id=key) for _ in range(2)]
        runs.update_run_status(key, "RUNNING")
        told.append(runs.start_run(book, **RUN, run_id=str(key)))

        assert [(receipt.id, receipt.outcome) for receipt in told] == [
            (key, "STORED"), (key, "DUPLICATE"), (key, "DUPLICATE"),
        ]  # fmt: skip
        assert BacktestRun.objects.get().status == "RUNNING"

    def test_with_other_content_is_refused(self, runs, book) -> None:
        key = runs.start_run(book, **RUN).id
        other = friren.open_account("other", environment="BACKTEST")

        for account, given in ((book, {**RUN, "name": "other"}), (other, RUN)):
            with pytest.raises(KeyReusedError) as caught:
                runs.start_run(account, **given, run_id=key)
            assert caught.value.field == "run_id"

    def test_wants_a_book_of_its_own(self, runs, book) -> None:
        runs.start_run(book, **RUN)

        for account in (book, "sma-AAPL-1", friren.open_account("live", environment="LIVE")):
            with pytest.raises(RejectedRecordError) as caught:
                runs.start_run(account, **RUN)
            assert caught.value.field == "account"
        with pytest.raises(ConfigurationError, match="typo"):
            runs.start_run("typo", **RUN)

    def test_ends_after_it_begins(self, runs, book) -> None:
        with pytest.raises(RejectedRecordError) as caught:
            runs.start_run(book, name="x", starts_at=END, ends_at=START)

        assert caught.value.field == "ends_at"

    @pytest.mark.parametrize("keyword", ["status", "finished_at", "no_such_thing"])
    def test_takes_no_other_keyword(self, runs, book, keyword) -> None:
        with pytest.raises(TypeError, match=keyword):
            runs.start_run(book, **RUN, **{keyword: "COMPLETED"})


@pytest.mark.parametrize(("held", "wanted"), [(held, wanted) for held in EDGES for wanted in EDGES])
def test_a_run_moves_along_its_edges_alone(runs, book, held, wanted) -> None:
    key = runs.start_run(book, **RUN).id
    for step in WAYS[held]:
        runs.update_run_status(key, step)
    entries = AuditLog.objects.count()

    if wanted in EDGES[held]:
        assert runs.update_run_status(key, wanted.lower(), message="so it is").outcome == "STORED"
        entry = AuditLog.objects.order_by("recorded_seq").last()
        assert (entry.action, entry.object_pk, entry.account_id) == ("STATUS_CHANGE", str(key), book.id)
        assert (entry.before["status"], entry.after["status"]) == (held, wanted)
    elif wanted == held:
        assert runs.update_run_status(key, wanted).outcome == "DUPLICATE"
    else:
        with pytest.raises(InvalidTransitionError) as caught:
            runs.update_run_status(key, wanted)
        assert caught.value.field == "status"

    moved = wanted in EDGES[held]
    run = BacktestRun.objects.get()
    assert run.status == (wanted if moved else held)
    assert (run.finished_at is not None) is (run.status in {"COMPLETED", "FAILED"})
    assert AuditLog.objects.count() == entries + moved


class TestFinish:
    @pytest.fixture
    def run(self, runs, book) -> UUID:
        key = runs.start_run(book, **RUN).id
        runs.update_run_status(key, "RUNNING")
        return key

    def test_stores_figures_and_completes(self, runs, run, book) -> None:
        assert runs.finish_run(run, **FIGURES, sharpe_ratio=1.5).outcome == "STORED"

        result = BacktestResult.objects.get(backtest=run)
        assert (result.total_return, result.sharpe_ratio, result.profit_factor) == (0.12, 1.5, None)
        assert (result.account_id, result.trade_count) == (book.id, 40)
        assert BacktestRun.objects.get().status == "COMPLETED"

    def test_again_is_a_duplicate_and_other_figures_are_refused(self, runs, run) -> None:
        runs.finish_run(run, **FIGURES)

        assert runs.finish_run(run, **FIGURES).outcome == "DUPLICATE"
        with pytest.raises(KeyReusedError):
            runs.finish_run(run, **{**FIGURES, "total_return": 0.13})
        assert BacktestResult.objects.get().total_return == 0.12

    def test_keeps_figures_that_come_after_the_end(self, runs, run) -> None:
        runs.update_run_status(run, "COMPLETED")

        assert runs.finish_run(run, **FIGURES).outcome == "STORED"
        assert BacktestResult.objects.count() == 1

    def test_changes_nothing_when_a_figure_is_refused(self, runs, run) -> None:
        with pytest.raises(RejectedRecordError):
            runs.finish_run(run, **{**FIGURES, "max_drawdown": float("nan")})

        assert BacktestRun.objects.get().status == "RUNNING"
        assert not BacktestResult.objects.exists()

    def test_not_before_it_runs_nor_after_it_failed(self, runs, run, book) -> None:
        runs.update_run_status(run, "FAILED")

        with pytest.raises(InvalidTransitionError):
            runs.finish_run(run, **FIGURES)
        with pytest.raises(RejectedRecordError) as caught:
            runs.finish_run(new_id(), **FIGURES)

        assert caught.value.field == "run"
        assert not BacktestResult.objects.exists()

    def test_not_inside_an_open_transaction_nor_after_the_end(self, runs, run) -> None:
        with transaction.atomic(), pytest.raises(RuntimeError):
            runs.finish_run(run, **FIGURES)

        runs.close()
        with pytest.raises(RuntimeError, match="closed"):
            runs.finish_run(run, **FIGURES)

"""Backtests whose database goes away, or that somebody stops: what was recorded is stored once, and the books agree."""

from __future__ import annotations

import datetime as dt
import json
import signal
import subprocess
import sys
import time
from decimal import Decimal

import pytest

from tests.acceptance.friren.persistence.outage_tools import account_of_records, migrated, replay
from tests.postgres import ROOT
from tests.servers import command_environment

__all__ = ["migrated"]

BARS = 2400
# For what takes a second on a machine that does nothing else.
PATIENCE = 240
MANAGE = [str(ROOT / "manage.py")]
MODULE = ["-m", "friren"]


@pytest.fixture
def bars(tmp_path):
    """Hourly bars that rise and fall by a fifth every few days."""
    path, close, lines = tmp_path / "AAA.csv", Decimal(100), ["Date,Open,High,Low,Close,Volume"]
    start = dt.datetime(2020, 1, 6, tzinfo=dt.UTC)
    for number in range(BARS):
        opened = close
        close += (Decimal("0.5") if (number // 40) % 2 == 0 else Decimal("-0.5")) + Decimal(number % 3 - 1) / 10
        moment = (start + dt.timedelta(hours=number)).isoformat()
        lines.append(f"{moment},{opened},{max(opened, close)},{min(opened, close)},{close},1000")
    path.write_text("\n".join(lines) + "\n")
    return path


def begin(server, bars, *more: str, program=MANAGE) -> subprocess.Popen[str]:
    arguments = ["backtest", "--csv", str(bars), "--strategy", "donchian_breakout", *more]
    return subprocess.Popen(
        [sys.executable, *program, *arguments],
        env=command_environment(server.home, **server.environment()),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A run of the tests in the background of a script is deaf to it, and so would be its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - it takes no lock
    )


def ended(process) -> dict:
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    assert "Traceback" not in err, err
    return json.loads(out)


def wait_for_signals(server) -> None:
    """Return when a run has stored some signals."""
    until = time.monotonic() + PATIENCE
    with server.connect() as connection:
        while connection.execute("SELECT count(*) FROM trading_engine_signal").fetchone()[0] < 5:
            assert time.monotonic() < until
            time.sleep(0.01)


def assert_stored_whole(server, figures: dict) -> None:
    """What was reported is what is stored, booked, and worth what it traded on."""
    with server.connect() as connection:
        run = connection.execute(
            "SELECT r.status, r.account_id, x.detailed_metrics->>'final_equity' FROM trading_engine_backtestrun r "
            "JOIN trading_engine_backtestresult x ON x.backtest_id = r.id WHERE r.id = %s",
            [figures["run_id"]],
        ).fetchone()
        assert run is not None
        assert (run[0], run[2]) == ("COMPLETED", figures["final_equity"])
        stored = {
            name: connection.execute(
                f"SELECT count(*) FROM {table} WHERE account_id = %s", [run[1]]
            ).fetchone()[0]
            for name, table in (
                ("signals", "trading_engine_signal"), ("orders", "trading_engine_order"),
                ("trades", "trading_engine_trade"), ("regimes", "trading_engine_regimehistory"),
                ("risk_days", "portfolio_manager_riskmetrics"),
            )
        }  # fmt: skip
    assert stored == {name: figures[name] for name in stored}
    booked = server.manage("rebuild_positions", "--check", "--json", "--account", figures["account"])
    assert (booked.returncode, json.loads(booked.stdout)["differences"]) == (0, 0), booked.stderr


def test_with_the_database_down_a_run_is_the_same_and_is_stored_by_a_replay(migrated, bars) -> None:
    usual = ended(begin(migrated, bars, "--json"))
    assert usual["journaled"] == 0
    assert usual["trades"] > 20
    assert_stored_whole(migrated, usual)

    migrated.stop()
    page, _err = begin(migrated, bars, "--account", "shown").communicate(timeout=240)
    again = begin(migrated, bars, "--account", "shown")
    _out, err = again.communicate(timeout=240)
    assert again.returncode == 1
    assert "must be new while the database is away" in err
    assert "Traceback" not in err
    figures = ended(begin(migrated, bars, "--json"))
    assert "`manage.py replay` stores them" in " ".join(page.split())
    assert figures["journaled"] > 5 * figures["trades"]
    own = {"run_id", "account", "seconds", "journaled"}
    assert {name: figures[name] for name in figures.keys() - own} == {name: usual[name] for name in usual.keys() - own}

    migrated.start()
    done = replay(migrated)
    assert (done["dead_lettered"], done["remaining"]) == (0, 0)
    # The bars of the file, told by each of the three, were stored by the run before; all else is new.
    assert done["duplicates"] == 3 * BARS
    assert_stored_whole(migrated, figures)


def test_a_run_whose_database_goes_away_in_between_ends_with_the_same_figures(migrated, bars) -> None:
    usual = ended(begin(migrated, bars, "--json"))
    with migrated.connect() as connection:
        connection.execute("CREATE TABLE before AS SELECT count(*) AS signals FROM trading_engine_signal")
    process = begin(migrated, bars, "--json")
    wait_until_more(migrated)
    migrated.stop()
    figures = ended(process)
    assert figures["journaled"] > 0
    assert figures["final_equity"] == usual["final_equity"]

    migrated.start()
    done = replay(migrated)
    assert (done["dead_lettered"], done["remaining"]) == (0, 0)
    assert_stored_whole(migrated, figures)
    account = account_of_records(migrated)
    assert account["seq"] == account["stored"] + account["duplicates"]


def wait_until_more(server) -> None:
    until = time.monotonic() + PATIENCE
    with server.connect() as connection:
        while not connection.execute(
            "SELECT (SELECT count(*) FROM trading_engine_signal) > signals FROM before"
        ).fetchone()[0]:
            assert time.monotonic() < until
            time.sleep(0.01)


@pytest.mark.parametrize("program", [MANAGE, MODULE], ids=["manage.py", "friren"])
def test_ctrl_c_ends_a_run_with_one_line_and_loses_nothing(migrated, bars, program) -> None:
    with migrated.connect() as rival:
        rival.autocommit = False
        # Nothing is booked meanwhile, so the run cannot have ended when the signal comes.
        rival.execute("LOCK TABLE portfolio_manager_accountstate IN EXCLUSIVE MODE")
        process = begin(migrated, bars, program=program)
        wait_for_signals(migrated)
        process.send_signal(signal.SIGINT)
        _out, err = process.communicate(timeout=240)

    assert process.returncode == 130
    assert "Traceback" not in err, err
    assert err.splitlines()[-1].startswith("interrupted")
    done = replay(migrated)
    assert (done["dead_lettered"], done["remaining"]) == (0, 0)
    with migrated.connect() as connection:
        assert connection.execute("SELECT status, status_message FROM trading_engine_backtestrun").fetchall() == [
            ("FAILED", "KeyboardInterrupt")
        ]
        orders, trades = (
            connection.execute(f"SELECT count(*) FROM trading_engine_{table} {where}").fetchone()[0]
            for table, where in (("order", "WHERE status = 'filled'"), ("trade", ""))
        )
    assert orders == trades > 0

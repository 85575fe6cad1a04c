"""
Workers in a hurry: schedules of a laboratory's own that fall due every second, and bounds that are short.

`python -m tests.clockwork --seconds 60 --workers 4 --kill` proves on a server of its own what the tests prove in
little: that each moment of each schedule is run once. What a run does is a row in a table, so that many can be made.
"""

from __future__ import annotations

import argparse
import collections
import datetime as dt
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

# Not that of tests.postgres, which gives every process that imports it an environment.
ROOT = Path(__file__).resolve().parent.parent
SCHEDULES = 10
EACH_SECOND = "* * * * * *"
# Falls due once, when the first worker makes up for it.
EACH_YEAR = "0 0 1 1 *"
DONE = "CREATE TABLE IF NOT EXISTS clockwork_done (at timestamptz DEFAULT clock_timestamp(), schedule text, pid int)"


def work(schedules: int, seconds_of_a_run: float, cron: str) -> None:
    """Be such a worker, until told to end."""
    import django

    django.setup()
    from django.db import connection

    from friren.operations.jobs import processes, registry, settings, worker

    settings.HEARTBEAT_SECONDS, settings.LOST_SECONDS, settings.RETURN_SECONDS = 0.3, 2.0, 0.2
    settings.RESCUE_CRON, settings.GRACE_SECONDS, settings.CATCH_UP_SECONDS = "* * * * * *", 1.0, 400 * 86_400
    registry._schedules.clear()
    for number in range(schedules):
        registry.register(f"tick{number}", f"tick{number}", cron=cron, variable="-")

    def execute(command: Sequence[str], *, should_stop: Callable[[], bool]) -> processes.Ended:
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO clockwork_done (schedule, pid) VALUES (%s, %s)", [command[0], os.getpid()])
        connection.close()
        until = time.monotonic() + seconds_of_a_run
        while time.monotonic() < until:
            time.sleep(0.05)
            if should_stop():
                raise processes.StoppedError
        return processes.Ended(0, "")

    processes.execute = execute
    worker.work(concurrency=4)


class Workers:
    """Such workers in processes of their own, on one database."""

    def __init__(
        self,
        folder: Path,
        environment: dict[str, str],
        *,
        schedules: int,
        seconds_of_a_run: float,
        cron: str = EACH_SECOND,
    ) -> None:
        self._folder, self._environment = folder, environment
        self._arguments = json.dumps([schedules, seconds_of_a_run, cron])
        self._began = 0
        self.running: list[subprocess.Popen[bytes]] = []

    def begin(self) -> subprocess.Popen[bytes]:
        self._began += 1
        with (self._folder / f"worker-{self._began}").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.clockwork", "--work", self._arguments],
                env=self._environment, cwd=ROOT, stdout=log, stderr=log,
            )  # fmt: skip
        self.running.append(process)
        return process

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        self.running.remove(process)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def end(self) -> list[int]:
        """Tell them to end, and return their exit codes."""
        for process in self.running:
            process.terminate()
        codes = [process.wait(60) for process in self.running]
        self.running.clear()
        return codes

    def said(self) -> str:
        return "\n".join(path.read_text()[-3000:] for path in sorted(self._folder.glob("worker-*")))


def account(execute: Callable[[str], Any]) -> dict[str, Any]:
    """What was run against what fell due; `execute` asks the database."""
    done = dict(execute("SELECT schedule, count(*) FROM clockwork_done GROUP BY 1").fetchall())
    runs = execute("SELECT schedule, due_at, status, attempts FROM jobs_scheduledrun ORDER BY 1, 2").fetchall()
    attempts: collections.Counter[str] = collections.Counter()
    gaps, previous = 0, {}
    for schedule, due_at, _status, times in runs:
        attempts[schedule] += times
        gaps += schedule in previous and due_at - previous[schedule] != dt.timedelta(seconds=1)
        previous[schedule] = due_at
    return {
        "runs": len(runs),
        "done": sum(done.values()),
        "begun_again": sum(attempts.values()) - len(runs),
        # What was done and no attempt accounts for.
        "twice": {name: count - attempts[name] for name, count in done.items() if count > attempts[name]},
        "moments_left_out": gaps,
        "statuses": dict(collections.Counter(status for _, _, status, _ in runs)),
    }


def prove(*, seconds: float, workers: int, kill: bool) -> dict[str, Any]:
    """Let workers share seconds on a server of their own; with `kill` one is killed and replaced every second."""
    from tests.servers import ThrowAwayServer, command_environment, remove_folder

    server = ThrowAwayServer(migrated=True)
    try:
        server.start()
        with server.connect() as session:
            session.execute(DONE)
            told = server.environment(DJANGO_SETTINGS_MODULE="friren.settings")
            environment = command_environment(server.home, **told)
            crew = Workers(server.home, environment, schedules=SCHEDULES, seconds_of_a_run=0.3 if kill else 0.0)
            for _ in range(workers):
                crew.begin()
            until, killed = time.monotonic() + seconds, 0
            while time.monotonic() < until:
                time.sleep(1 + random.random() if kill else 0.5)
                if kill:
                    crew.kill(random.choice(crew.running))
                    crew.begin()
                    killed += 1
            if kill:
                time.sleep(6)  # for the last ones to be found
            codes = crew.end()
            if any(codes):
                sys.stderr.write(crew.said())
            return {**account(session.execute), "killed": killed, "exit_codes": codes}
    finally:
        remove_folder(server.home)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=json.loads)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kill", action="store_true")
    told = parser.parse_args()
    if told.work:
        work(*told.work)
    else:
        found = prove(seconds=told.seconds, workers=told.workers, kill=told.kill)
        sys.stdout.write(json.dumps(found, default=str) + "\n")


if __name__ == "__main__":
    main()

"""Processes that log and are killed, forked from one that has everything imported, so that a death costs little."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from tests.faults.ground import Ground
from tests.faults.names import Names
from tests.faults.orders import Orders
from tests.postgres import ROOT
from tests.servers import command_environment

__all__ = ["Child", "Crew"]

WAIT_SECONDS = 120.0
# Folding the fills of a whole experiment anew takes minutes on a machine that is busy with other work.
ANSWER_SECONDS = 900.0


class Child:
    """One process that was forked, until it has ended."""

    def __init__(self, crew: Crew, pid: int, log: Path) -> None:
        self._crew, self.pid, self.log = crew, pid, log
        self.status: int | None = None

    def kill(self) -> None:
        """Kill -9."""
        os.kill(self.pid, signal.SIGKILL)  # not reaped before `wait`, so the number is still its own
        self.wait()

    def wait(self, timeout: float = WAIT_SECONDS) -> int | None:
        """Return its exit status, negative for a signal; None when it is not over in time."""
        if self.status is None:
            self.status = self._crew.ask({"wait": self.pid, "timeout": timeout})["status"]
        return self.status

    def began(self, size: int = 1) -> None:
        """Wait until it has written so many bytes of its history, or has ended."""
        until = time.monotonic() + WAIT_SECONDS
        while self.log.stat().st_size < size and self.wait(0) is None:
            if time.monotonic() > until:
                raise AssertionError(f"it does not begin: {self._crew.said()}")
            time.sleep(0.002)

    def answer(self) -> Any:
        """Wait for its end, which must be an orderly one, and return what it wrote as JSON."""
        status = self.wait(ANSWER_SECONDS)
        if status != 0:
            raise AssertionError(f"ended with {status}: {self._crew.said()}")
        return json.loads(self.log.read_text())


class Crew:
    """
    The process that children are forked from.

    Args:
        ground: the database they log into, and their FRIREN_HOME.
        names: the host names that they know, when they are to know others than this machine.
        changes: of their environment.
    """

    def __init__(self, ground: Ground, *, names: Names | None = None, **changes: str) -> None:
        self.ground = ground
        self.folder = ground.home / "crew"
        self.folder.mkdir(exist_ok=True)
        self._errors = (self.folder / "errors").open("a+")
        prefix = names.command if names is not None else []
        changes |= names.environment if names is not None else {}
        self.environment = command_environment(ground.home, **ground.environment(PYTHONPATH=str(ROOT), **changes))
        self._process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "tests.faults.nursery"],
            env=self.environment,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        if self._process.stdout.readline() != "ready\n":
            raise AssertionError(self.said())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._errors.close()

    def ask(self, what: dict[str, Any]) -> dict[str, Any]:
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError(self.said())
        return json.loads(line)

    def said(self) -> str:
        """Return the end of what it and its children wrote to their standard error."""
        self._errors.flush()
        return (self.folder / "errors").read_text()[-4000:]

    def start(self, task: str, *, log: str = "", **orders: Any) -> Child:
        """Fork a child that does `task`, a function of tests.faults.child; see Orders."""
        path = self.folder / (log or f"{task}-{time.monotonic_ns()}")
        path.touch()
        told = Orders(task, str(path), **orders)
        return Child(self, self.ask({"start": dataclasses.asdict(told)})["pid"], path)

    def do(self, task: str, **orders: Any) -> Any:
        """Let a child do `task` and return its answer."""
        return self.start(task, **orders).answer()

    @contextmanager
    def at_work(self, task: str, **orders: Any) -> Iterator[Child]:
        """Start a child, and kill it if it is still there at the end."""
        child = self.start(task, **orders)
        try:
            yield child
        finally:
            if child.wait(0) is None:
                child.kill()
        if child.status not in {0, -signal.SIGKILL, -signal.SIGTERM}:
            raise AssertionError(f"ended with {child.status}: {self.said()}")

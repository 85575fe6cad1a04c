"""gunicorn with --preload: workers forked from a process that has logged, killed and replaced under requests."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Self

from tests.faults.crew import WAIT_SECONDS, Crew
from tests.faults.history import Call, Told
from tests.faults.script import PAGE, key_of
from tests.faults.sockets import connections_of
from tests.postgres import ROOT

__all__ = ["requests_while_workers_die"]

WORKERS = 2
CLIENTS = 4
# The step of a round that is a plain log_trade, and the one that is booked at once.
STEPS = (2, 6)


class Site:
    """
    A running gunicorn that preloads tests.faults.site.

    Args:
        keys: calls that it makes before it forks.
    """

    def __init__(self, crew: Crew, keys: list[str]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="friren-site-")  # short: a socket's path is
        self.socket = Path(self._folder.name) / "site"
        self._errors = (crew.folder / "site").open("w+")
        command = [sys.executable, "-m", "gunicorn", "--preload", f"--bind=unix:{self.socket}", "--log-level=warning"]
        command += [f"--workers={WORKERS}", "--no-control-socket"]
        self._process = subprocess.Popen(
            [*command, "tests.faults.site:application"],
            env={**crew.environment, "LABORATORY_KEYS": " ".join(keys)},
            cwd=ROOT,
            stderr=self._errors,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(WAIT_SECONDS)
        self._errors.close()
        self._folder.cleanup()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def workers(self) -> list[int]:
        return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    def get(self, path: str) -> tuple[int, str]:
        """Return status and body. Raises OSError when the worker dies over it."""
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(WAIT_SECONDS)
            line.connect(str(self.socket))
            line.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
            answer = b"".join(iter(lambda: line.recv(65536), b""))
        head, _, body = answer.partition(b"\r\n\r\n")
        if not body:
            raise ConnectionResetError("the answer did not come")
        return int(head.split()[1]), body.decode()

    def insist(self, path: str) -> tuple[int, str]:
        """Ask until there is an answer."""
        until = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                return self.get(path)
            except OSError:
                if self._process.poll() is not None or time.monotonic() > until:
                    raise AssertionError(self.said()) from None
                time.sleep(0.01)

    def said(self) -> str:
        """Return the end of what it wrote to its standard error."""
        return Path(self._errors.name).read_text()[-4000:]


class _Clients:
    """Threads that make calls, each again until it is answered."""

    def __init__(self, site: Site, number: int) -> None:
        self._site, self._number, self._stop = site, number, threading.Event()
        self.history: list[Call] = []
        self._threads = [threading.Thread(target=self._work, args=(thread,)) for thread in range(CLIENTS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _work(self, thread: int) -> None:
        for index in itertools.count():
            if index % 8 not in STEPS:
                continue
            if self._stop.is_set():
                return
            key = key_of(self._number, thread, index)
            status, outcome = self._site.insist(f"{PAGE}{key}")
            told = Told.OK if status == 200 else Told.FAILED
            self.history.append(Call(key, told, outcome=outcome[:100]))


def requests_while_workers_die(
    crew: Crew, number: int, *, kills: int, seed: int
) -> tuple[list[Call], list[str], dict[str, int]]:
    """
    Let four clients make calls, and again until they are answered, while workers are killed and all are replaced.

    Returns:
        The calls, what is wrong, and figures.
    """
    chance = random.Random(seed)
    first = [key_of(number, CLIENTS, 8 * turn + step) for turn in range(4) for step in STEPS]
    with Site(crew, first) as site:
        wrong = [] if site.insist("/admin/login/")[0] == 200 else ["Friren's own pages are not there"]
        shared, seen = set[int](), set(site.workers)
        with _Clients(site, number) as clients:
            for turn in range(kills):
                time.sleep(chance.uniform(0.05, 0.3))
                shared |= _shared(site)
                if turn % 3 == 2:
                    os.kill(site.pid, signal.SIGHUP)
                elif workers := site.workers:
                    os.kill(chance.choice(workers), signal.SIGKILL)
                seen |= set(site.workers)
            time.sleep(0.2)
            seen |= set(site.workers)
    if shared:
        wrong.append(f"{len(shared)} connections were open in two processes")
    history = [Call(key, Told.OK, outcome="before it forked") for key in first] + clients.history
    return history, wrong, {"kills": kills, "workers": len(seen), "requests": len(clients.history)}


def _shared(site: Site) -> set[int]:
    """Return the connections that more than one process of the site has open, and not for the moment of a fork."""
    found: list[set[int]] = []
    for _look in range(2):
        seen: set[int] = set()
        shared: set[int] = set()
        for pid in (site.pid, *site.workers):
            with contextlib.suppress(OSError):  # it has ended meanwhile
                own = connections_of(pid)
                shared |= seen & own
                seen |= own
        found.append(shared)
        if not shared:
            break
        time.sleep(0.1)
    return set.intersection(*found)

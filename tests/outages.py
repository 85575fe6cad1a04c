"""Servers that freeze, and databases known by another alias."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from django.db import connections

from friren.embedded import process
from tests.servers import ThrowAwayServer

# What a test logs during an outage. Fewer keep a slow machine's run short; the figure to show is 10,000.
TRADES = int(os.environ.get("FRIREN_TEST_TRADES") or 10_000)
# Cycles of paper trading while the database is killed. The figure to show is 100.
CYCLES = int(os.environ.get("FRIREN_TEST_CYCLES") or 10)


def _processes(server: ThrowAwayServer) -> list[int]:
    """The server's first process and its children, by the kernel's own list."""
    first = process.find(server.location.data)
    assert first is not None
    children = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                # The name in brackets may hold anything; what follows it does not.
                if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == first.pid:
                    children.append(int(entry.name))
    return [first.pid, *children]


@contextlib.contextmanager
def frozen(server: ThrowAwayServer) -> Iterator[None]:
    """Stop every process of the server where it stands: connections stay open, and nobody answers."""
    stopped = []
    try:
        # The first process before its children, so that none is made meanwhile.
        for pid in _processes(server):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                stopped.append(pid)
        yield
    finally:
        for pid in reversed(stopped):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def alias_for(server: ThrowAwayServer, name: str, **changes: object) -> Iterator[str]:
    """Another entry in Django's DATABASES, for as long as it is wanted."""
    settings = dict(connections.settings["default"])
    settings |= {"HOST": str(server.location.socket_directory), "PORT": "", "NAME": "friren", "USER": "friren"}
    connections.settings[name] = settings | changes
    try:
        yield name
    finally:
        with contextlib.suppress(AttributeError):
            connections[name].close()
            del connections[name]
        del connections.settings[name]

"""Outages of every kind: servers that freeze, networks that swallow, and what a call has to bear meanwhile."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

from django.db import connections

from friren.embedded import process
from tests.servers import ThrowAwayServer

# What the tests log during an outage. Fewer keep a slow machine's run short; the figure to show is 10,000.
TRADES = int(os.environ.get("FRIREN_TEST_OUTAGE_TRADES") or 10_000)


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


class Proxy:
    """A port that leads to a server, until it becomes a black hole: it still acknowledges, and passes nothing on."""

    def __init__(self, server: ThrowAwayServer) -> None:
        self._target = str(server.location.socket_directory / ".s.PGSQL.5432")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._passing = threading.Event()
        self._passing.set()
        self._open = True
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def swallow(self) -> None:
        self._passing.clear()

    def close(self) -> None:
        self._open = False
        self._passing.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for one in [self._listener, *self._sockets]:
            one.close()

    def _accept(self) -> None:
        while self._open:
            try:
                near, _address = self._listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect(self._target)
            self._sockets += [near, far]
            threading.Thread(target=self._pass_on, args=(near, far), daemon=True).start()

    def _pass_on(self, near: socket.socket, far: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError):
            while self._open:
                for ready in select.select([near, far], [], [], 0.05)[0]:
                    data = ready.recv(65536)
                    self._passing.wait()
                    if not data:
                        near.close()
                        far.close()
                        return
                    (far if ready is near else near).sendall(data)


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

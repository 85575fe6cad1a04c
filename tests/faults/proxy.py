"""A network to break: a port that leads to PostgreSQL, and knows enough of its protocol to lose just a COMMIT."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import select
import socket
import struct
import threading
import time
from pathlib import Path

__all__ = ["FaultProxy", "Lost", "Where"]

RECV = 65536
# How long a session whose client is gone stays open on the server, its transaction with it.
ZOMBIE_SECONDS = 0.3
# What a client may ask before it says who it is: TLS, GSS encryption. The server answers with one byte.
_BEFORE_START = {80877103, 80877104}
SYNC = b"S\0\0\0\4"
_ABORTS = struct.pack("ii", 1, 0)  # SO_LINGER: close by a reset


class Lost(enum.Enum):
    """What becomes of the message that commits, while its sender's connection is reset."""

    BEFORE = "before"  # it never reaches the server
    AFTER = "after"  # it is carried out, and the answer is lost
    ZOMBIE = "zombie"  # it never reaches the server, whose session lives on with its locks


class Where(enum.Enum):
    """Which message commits."""

    INSERT = "insert"  # a statement that commits by itself
    COMMIT = "commit"  # the COMMIT of a transaction


@dataclasses.dataclass
class _Trap:
    lost: Lost
    where: Where


class FaultProxy:
    """
    A TCP port that leads to a server's socket, until it is told otherwise.

    Args:
        target: path of the server's unix socket.
    """

    def __init__(self, target: Path) -> None:
        self._target = str(target)
        self._links: list[_Link] = []
        self._lock = threading.Lock()
        self._trap: _Trap | None = None
        self.sprung = threading.Event()
        self.passing = threading.Event()
        self.passing.set()
        self.latency = 0.0
        self._closed = False
        self._listener: socket.socket | None = None
        self.port = 0
        self.accept()

    # --- what can be done to the network

    def refuse(self) -> None:
        """Listen no more, and reset what is open: connections are refused."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self.reset()

    def accept(self) -> None:
        """Listen again, on the same port."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, args=(self._listener,), daemon=True).start()

    def reset(self) -> None:
        """Reset every open connection."""
        with self._lock:
            links, self._links = self._links, []
        for link in links:
            link.abort()

    def swallow(self) -> None:
        """Become a black hole: everything is acknowledged, nothing is passed on."""
        self.passing.clear()

    def release(self) -> None:
        """Pass on again, what was held back too."""
        self.passing.set()

    def set_trap(self, lost: Lost, where: Where) -> None:
        """Lose the next message that commits."""
        self.sprung.clear()
        self._trap = _Trap(lost, where)

    def take_trap(self, where: Where) -> Lost | None:
        """Return what is to become of a message that commits, None when nothing is."""
        with self._lock:
            trap = self._trap
            if trap is None or trap.where is not where:
                return None
            self._trap = None
        return trap.lost

    def close(self) -> None:
        """Close everything."""
        self._closed = True
        self.passing.set()
        self.refuse()

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _address = listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            try:
                far.connect(self._target)
            except OSError:
                near.close()
                far.close()
                continue
            link = _Link(self, near, far)
            with self._lock:
                self._links.append(link)
            threading.Thread(target=link.run, daemon=True).start()


class _Link:
    """One connection of a client, and the one to the server that belongs to it."""

    def __init__(self, proxy: FaultProxy, near: socket.socket, far: socket.socket) -> None:
        self._proxy, self._near, self._far = proxy, near, far
        self._started = False
        self._unread = b""
        # Messages up to the next that asks for an answer, each with the statement it is about.
        self._unit: list[tuple[bytes, str]] = []
        self._prepared: dict[bytes, str] = {}
        self._in_transaction = False
        self._answers = b""
        self._losing = False

    def abort(self) -> None:
        """Reset the client's side, and close the server's."""
        for one, by_reset in ((self._near, True), (self._far, False)):
            with contextlib.suppress(OSError):
                if by_reset:
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORTS)
                else:
                    one.shutdown(socket.SHUT_RDWR)
            with contextlib.suppress(OSError):
                one.close()

    def run(self) -> None:
        """Pass on until one side is closed."""
        with contextlib.suppress(OSError, ValueError):
            while True:
                for ready in select.select([self._near, self._far], [], [], 0.5)[0]:
                    data = ready.recv(RECV)
                    self._proxy.passing.wait()
                    if self._proxy.latency:
                        time.sleep(self._proxy.latency)
                    if not data or not (self._asked(data) if ready is self._near else self._answered(data)):
                        self._end()
                        return
        self._end()

    def _end(self) -> None:
        for one in (self._near, self._far):
            with contextlib.suppress(OSError):
                one.close()

    # --- from the client

    def _asked(self, data: bytes) -> bool:
        self._unread += data
        while True:
            head = 5 if self._started else 4
            if len(self._unread) < head:
                return True
            size = int.from_bytes(self._unread[head - 4 : head], "big") + head - 4
            if len(self._unread) < size:
                return True
            message, self._unread = self._unread[:size], self._unread[size:]
            if not self._started:
                self._started = int.from_bytes(message[4:8], "big") not in _BEFORE_START
                self._far.sendall(message)
            elif not self._take(message):
                return False

    def _take(self, message: bytes) -> bool:
        kind, body, text = message[:1], message[5:], ""
        if kind == b"P":
            name, statement, _types = body.split(b"\0", 2)
            text = self._prepared[name] = statement.decode(errors="replace")
        elif kind == b"B":
            _portal, name, _values = body.split(b"\0", 2)
            text = self._prepared.get(name, "")
        elif kind == b"Q":
            text = body.rstrip(b"\0").decode(errors="replace")
        self._unit.append((message, text))
        if kind in {b"P", b"B", b"D", b"E", b"C"}:
            return True
        unit, self._unit = self._unit, []
        return self._send(unit)

    def _send(self, unit: list[tuple[bytes, str]]) -> bool:
        where = self._commits([text for _message, text in unit])
        lost = None if where is None else self._proxy.take_trap(where)
        whole = b"".join(message for message, _text in unit)
        if lost is None or lost is Lost.AFTER:
            self._losing = lost is Lost.AFTER
            # One that is not told to finish would wait with its answer.
            self._far.sendall(whole if lost is None or unit[-1][0][:1] in {b"S", b"Q"} else whole + SYNC)
            return True
        if lost is Lost.ZOMBIE:
            self._far.sendall(self._all_but_the_end(unit, where))
            threading.Thread(target=self._linger, args=(self._far,), daemon=True).start()
            self._far = socket.socket(socket.AF_UNIX)  # nothing
        self._proxy.sprung.set()
        self.abort()
        return False

    @staticmethod
    def _all_but_the_end(unit: list[tuple[bytes, str]], where: Where | None) -> bytes:
        """Return what is carried out and not committed: all but the COMMIT, or all but the last word."""
        messages = [message for message, _text in unit]
        if where is Where.COMMIT:
            end = next(place for place, (_message, text) in enumerate(unit) if _is_commit(text))
            return b"".join(messages[:end])
        return b"".join(messages[:-1])

    @staticmethod
    def _linger(far: socket.socket) -> None:
        time.sleep(ZOMBIE_SECONDS)
        far.close()

    def _commits(self, texts: list[str]) -> Where | None:
        if any(map(_is_commit, texts)):
            return Where.COMMIT
        if not self._in_transaction and any(text.startswith("INSERT INTO") for text in texts):
            return Where.INSERT
        return None

    # --- from the server

    def _answered(self, data: bytes) -> bool:
        if self._started:
            self._answers += data
            while len(self._answers) >= 5:
                size = int.from_bytes(self._answers[1:5], "big") + 1
                if len(self._answers) < size:
                    break
                message, self._answers = self._answers[:size], self._answers[size:]
                if message[:1] == b"Z":
                    self._in_transaction = message[5:6] != b"I"
                    if self._losing:
                        self._proxy.sprung.set()
                        self.abort()
                        return False
        if not self._losing:
            self._near.sendall(data)
        return True


def _is_commit(text: str) -> bool:
    return text.strip().upper() == "COMMIT"

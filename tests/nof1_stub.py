"""A nof1.ai on the loopback: serves recorded answers, and misbehaves when told to."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

# What a trouble does instead of an answer; returns True when it has answered.
Trouble = Callable[["Handler"], bool]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Nof1Stub

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        name = parts.path.removeprefix("/api/")
        self.server.asked.append((name, parse_qs(parts.query), self.headers.get("If-None-Match", "")))
        if self.server.troubles[name] and self.server.troubles[name].popleft()(self):
            return
        body = self.server.bodies.get(name)
        if body is None:
            self.answer(404, b"{}")
            return
        tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        if self.server.tags and self.headers.get("If-None-Match") == tag:
            self.answer(304, b"")
            return
        self.answer(200, body, **({"ETag": tag} if self.server.tags else {}))

    def answer(self, code: int, body: bytes, **headers: str) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Nof1Stub(ThreadingHTTPServer):
    """
    Attributes:
        bodies: answers by name.
        tags: whether it knows ETags.
        troubles: by name what the next requests meet, one each.
        asked: (name, query, tag) of each request.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.bodies: dict[str, bytes] = {}
        self.tags = True
        self.troubles: dict[str, deque[Trouble]] = defaultdict(deque)
        self.asked: list[tuple[str, dict[str, list[str]], str]] = []
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/api"

    def serve(self, name: str, content: object) -> None:
        self.bodies[name] = json.dumps(content).encode()

    def asked_for(self, name: str) -> int:
        return sum(asked == name for asked, _query, _tag in self.asked)


def status(code: int, **headers: str) -> Trouble:
    def trouble(handler: Handler) -> bool:
        handler.answer(code, b"no", **headers)
        return True

    return trouble


def silence(seconds: float) -> Trouble:
    def trouble(handler: Handler) -> bool:
        time.sleep(seconds)
        handler.close_connection = True
        return True

    return trouble


def body(content: bytes) -> Trouble:
    def trouble(handler: Handler) -> bool:
        handler.answer(200, content)
        return True

    return trouble


def hang_up(content: bytes, promised: int) -> Trouble:
    """Promise more than is sent, and end."""

    def trouble(handler: Handler) -> bool:
        handler.send_response(200)
        handler.send_header("Content-Length", str(promised))
        handler.end_headers()
        handler.wfile.write(content)
        handler.close_connection = True
        return True

    return trouble

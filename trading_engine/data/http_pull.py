"""Pull JSON answers over HTTP: bounded in time, size and number, polite, and no answer twice."""

from __future__ import annotations

import datetime as dt
import email.utils
import http.client
import random
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import structlog

import friren
from friren.errors import FrirenError, RejectedRecordError

__all__ = ["HttpPuller", "PullError", "Pulled"]

log = structlog.get_logger(__name__)

# An answer of a quarter of a megabyte takes less than a second; whoever needs longer than this is not well.
TIMEOUT_SECONDS: Final = 15.0
# One answer: connecting, waiting, reading, and all attempts at it together.
BUDGET_SECONDS: Final = 60.0
# A dropped connection is worth a second and a third try; what lasts longer is for the next run.
ATTEMPTS_MAX: Final = 3
BACKOFF_SECONDS: Final = 1.0
# Whoever asks to be left alone for longer is asked again by the next run.
RETRY_AFTER_SECONDS_MAX: Final = 20.0
# Between two answers: a guest does not run.
PAUSE_SECONDS: Final = 0.5
# The largest answer known has 5 MB; more than this is no answer, and memory is not for it.
BYTES_MAX: Final = 64 * 1024 * 1024
_CHUNK: Final = 64 * 1024
_AGAIN: Final = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT,
    }
)  # fmt: skip


class PullError(FrirenError):
    """An answer could not be pulled; the message says which and why. Nothing of it was stored: pull again later."""

    def __init__(self, message: str | None = None, *, again: bool = False, wait: float = 0.0) -> None:
        """
        Args:
            again: whether another attempt may help.
            wait: seconds that the server asks for before it.
        """
        super().__init__(message)
        self.again, self.wait = again, wait


@dataclass(frozen=True, slots=True)
class Pulled:
    """An answer: its bytes, None if it is the one that `etag` named; and the tag to ask with next time, "" for none."""

    body: bytes | None
    etag: str


class HttpPuller:
    """
    Asks one service, one request at a time.

    Attributes:
        base: the address.

    Args:
        base: address that paths are appended to; http or https.
        timeout: seconds to connect, and between two pieces of an answer.
        budget: seconds for one answer, all attempts and waits together; no attempt begins after them.
        sleep: waits.
        jitter: returns a number from 0 to 1.

    Raises:
        RejectedRecordError: `base` is no such address.
    """

    def __init__(
        self,
        base: str,
        *,
        timeout: float = TIMEOUT_SECONDS,
        budget: float = BUDGET_SECONDS,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        parts = urlsplit(base)
        if parts.scheme not in {"http", "https"} or not parts.netloc or parts.username or parts.query:
            raise RejectedRecordError("url", base, "an http or https address, without user and query")
        self.base, self._timeout, self._budget = base.rstrip("/"), timeout, budget
        self._sleep, self._jitter = sleep, jitter
        self._asked = 0

    def pull(self, path: str, *, query: Mapping[str, Any] | None = None, etag: str = "") -> Pulled:
        """
        Return an answer.

        What may pass (a timeout, a broken connection, 429, 5xx) is tried again, with full jitter, and not before the
        server's Retry-After; what is refused as it is, is not.

        Args:
            path: below the base.
            query: parameters of it.
            etag: of the answer that is known already.

        Raises:
            PullError: there was none.
        """
        url = f"{self.base}/{path}" + (f"?{urlencode(query)}" if query else "")
        if self._asked:
            self._sleep(PAUSE_SECONDS)
        until = time.monotonic() + self._budget
        for attempt in range(1, ATTEMPTS_MAX + 1):
            self._asked += 1
            try:
                return self._ask(url, etag, until)
            except PullError as exc:
                # Full jitter: many that failed together do not come back together.
                pause = max(exc.wait, BACKOFF_SECONDS * 2**attempt * self._jitter())
                if not exc.again or attempt == ATTEMPTS_MAX or time.monotonic() + pause > until:
                    raise
                log.warning("no answer, asked again", url=url, attempt=attempt, error=str(exc))
                self._sleep(pause)
        raise PullError

    def _ask(self, url: str, etag: str, until: float) -> Pulled:
        headers = {"Accept": "application/json", "User-Agent": f"friren/{friren.__version__}"}
        if etag:
            headers["If-None-Match"] = etag
        request = urllib.request.Request(url, headers=headers)  # noqa: S310 - http and https alone, see __init__
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as answer:  # noqa: S310 - as above
                return Pulled(_read(answer, url, until), answer.headers.get("ETag") or "")
        except urllib.error.HTTPError as exc:
            with exc:
                if exc.code == HTTPStatus.NOT_MODIFIED and etag:
                    return Pulled(None, etag)
                wait = min(_retry_after(exc.headers.get("Retry-After")), RETRY_AFTER_SECONDS_MAX)
                raise PullError(f"{url}: {exc.code} {exc.reason}", again=exc.code in _AGAIN, wait=wait) from exc
        except ssl.SSLCertVerificationError as exc:
            raise PullError(f"{url}: {exc}") from exc
        except (OSError, http.client.HTTPException) as exc:
            # URLError hides what happened below it.
            reason = getattr(exc, "reason", None) or exc
            again = not isinstance(reason, ssl.SSLCertVerificationError)
            raise PullError(f"{url}: {type(reason).__name__}: {reason}".rstrip(": "), again=again) from exc


def _read(answer: http.client.HTTPResponse, url: str, until: float) -> bytes:
    """Return a body, if it comes in time and is no larger than any answer; a short one is no answer either."""
    pieces, size = [], 0
    while piece := answer.read1(_CHUNK):
        pieces.append(piece)
        size += len(piece)
        if size > BYTES_MAX:
            raise PullError(f"{url}: more than {BYTES_MAX} bytes")
        if time.monotonic() > until:
            raise PullError(f"{url}: the answer takes too long", again=True)
    if answer.length:
        raise PullError(f"{url}: the answer breaks off, {answer.length} bytes before its end", again=True)
    return b"".join(pieces)


def _retry_after(told: str | None) -> float:
    """Return the seconds of a Retry-After, which may be a number or a date; 0 for none."""
    if not told:
        return 0.0
    if told.strip().isdecimal():
        return float(told.strip()[:9])
    try:
        at = email.utils.parsedate_to_datetime(told)
    except ValueError:
        return 0.0
    if at.tzinfo is None:
        return 0.0
    return max(0.0, (at - dt.datetime.now(dt.UTC)).total_seconds())

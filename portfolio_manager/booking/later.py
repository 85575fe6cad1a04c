"""Book in the background what takes longer than a call may wait: tens of thousands of fills that nobody booked."""

from __future__ import annotations

import logging
import os
import threading
from typing import Final
from uuid import UUID

from friren.errors import FrirenError
from friren.persistence.steps import step
from portfolio_manager.booking.books import catch_up

__all__ = ["book_later"]

log = logging.getLogger(__name__)

# One at a time per account: they would only wait for one another's lock.
_under_way: Final[set[tuple[str, UUID]]] = set()
_lock = threading.Lock()


def book_later(account: UUID, *, using: str) -> None:
    """Bring the books of an account up to date on a thread of their own; nothing if one is at it already."""
    key = (using, account)
    with _lock:
        if key in _under_way:
            return
        _under_way.add(key)
    # A process that ends may cut it off: then nothing was booked, and the next call begins anew.
    threading.Thread(target=_book, args=key, name=f"friren-books-{using}", daemon=True).start()


def _book(using: str, account: UUID) -> None:
    try:
        with step("booking what has gathered", using=using) as alias:
            booked = catch_up(account, using=alias)
        log.info("booked %d facts of account %s in the background", booked, account)
    except FrirenError as exc:
        log.warning("account %s: %s", account, exc)
    finally:
        with _lock:
            _under_way.discard((using, account))


def _begin_anew() -> None:
    global _lock  # noqa: PLW0603 - another thread of the parent may have held it
    _lock = threading.Lock()
    _under_way.clear()  # those threads are the parent's


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)

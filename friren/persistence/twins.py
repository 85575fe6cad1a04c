"""
Async twins of blocking methods, made in one place: `alog_trade` is `log_trade` on a thread of ours.

Threads of our own, so that logging never waits for what else the event loop's default threads do.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connections

from friren.persistence.settings import ASYNC_WORKERS

__all__ = ["add_twins"]

_executors: list[ThreadPoolExecutor] = []


def add_twins(cls: type) -> None:
    """Give every public method that `cls` itself defines an async twin, unless it has one."""
    for name, method in list(vars(cls).items()):
        twin = f"a{name}"
        if name.startswith("_") or not inspect.isfunction(method) or inspect.iscoroutinefunction(method):
            continue
        if twin not in vars(cls):
            setattr(cls, twin, _twin(name, method))


def _twin(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    async def twin(self: Any, *args: Any, **kwargs: Any) -> Any:
        call = functools.partial(getattr(self, name), *args, **kwargs)
        context = contextvars.copy_context()
        future = _executor().submit(context.run, _call, call)
        # Who stops waiting has not taken the record back: it is written all the same.
        return await asyncio.shield(asyncio.wrap_future(future))

    twin.__name__ = f"a{name}"
    twin.__qualname__ = f"{method.__qualname__.rpartition('.')[0]}.a{name}"
    twin.__doc__ = f"Await `{name}`, on a thread of Friren's own. A cancelled wait does not undo the call."
    return twin


def _call(call: Callable[[], Any]) -> Any:
    try:
        return call()
    finally:
        # These threads live on; a connection that the call opened beside the recorder's would keep its place.
        for connection in connections.all(initialized_only=True):
            connection.close()


def _executor() -> ThreadPoolExecutor:
    if not _executors:
        _executors.append(ThreadPoolExecutor(ASYNC_WORKERS, thread_name_prefix="friren-async"))
    return _executors[0]


if hasattr(os, "register_at_fork"):
    # The child has none of its parent's threads.
    os.register_at_fork(after_in_child=_executors.clear)

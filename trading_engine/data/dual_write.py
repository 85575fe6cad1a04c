"""
Two functions for code that writes JSON by itself: call both of its ways to write, or to read, as the flags say.

    result = dual_write(append_to_json, insert_into_database, trade)

Code that has no way of its own takes a storage: `trading_engine.data.storage`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import structlog

from trading_engine.data.storage.mode import StorageMode, current_mode

__all__ = ["dual_read", "dual_write", "read_by", "write_by"]

log = structlog.get_logger(__name__)

Result = TypeVar("Result")
Told = ParamSpec("Told")


def dual_write(
    json_func: Callable[Told, Result], db_func: Callable[Told, Result], *args: Told.args, **kwargs: Told.kwargs
) -> Result:
    """
    Write by `json_func`, and by `db_func` as well, as the flags of this process say.

    Returns:
        What `json_func` returned, which counts as long as files are written; else what `db_func` did.

    Raises:
        Exception: of `json_func`. One of `db_func` is logged, and raised only where no file is written.
    """
    return write_by(current_mode(), json_func, db_func, *args, **kwargs)


def dual_read(
    json_func: Callable[Told, Result], db_func: Callable[Told, Result], *args: Told.args, **kwargs: Told.kwargs
) -> Result:
    """
    Read by `db_func` or by `json_func`, as the flags of this process say.

    Raises:
        Exception: of `json_func`. One of `db_func` is logged and the files are read, unless
            DATABASE_FALLBACK_TO_JSON is false.
    """
    return read_by(current_mode(), json_func, db_func, *args, **kwargs)


def write_by(
    mode: StorageMode,
    json_func: Callable[Told, Result],
    db_func: Callable[Told, Result],
    *args: Told.args,
    **kwargs: Told.kwargs,
) -> Result:
    """Do as `dual_write`, in a mode that is given."""
    if not mode.write_file:
        return db_func(*args, **kwargs)
    result = json_func(*args, **kwargs)
    if mode.write_database:
        try:
            db_func(*args, **kwargs)
        except Exception:
            # Whatever it is: the file has it, and trading goes on.
            log.exception("the database was not written; the file was")
    return result


def read_by(
    mode: StorageMode,
    json_func: Callable[Told, Result],
    db_func: Callable[Told, Result],
    *args: Told.args,
    **kwargs: Told.kwargs,
) -> Result:
    """Do as `dual_read`, in a mode that is given."""
    if not mode.read_database:
        return json_func(*args, **kwargs)
    try:
        return db_func(*args, **kwargs)
    except Exception:
        if not mode.fallback_to_file:
            raise
        log.exception("the database was not read; the file is")
        return json_func(*args, **kwargs)

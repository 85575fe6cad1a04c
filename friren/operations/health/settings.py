"""Every bound of the checks, with its reason. What an operator may want to move is read from the environment."""

from __future__ import annotations

import os
import re
from typing import Final

from friren.environment import Environment
from friren.errors import ConfigurationError, shown

__all__ = ["DISK_PERCENT_MAX", "LAG_SECONDS_MAX", "SHOWN_MAX", "server_version_min"]

env = Environment(os.environ)

# Full to this share, a disk is the operator's business; a journal and PostgreSQL still work for a while.
DISK_PERCENT_MAX: Final = env.integer("DISK_USAGE_WARN_PERCENT", default=80, minimum=1, maximum=100)
# A replica so far behind answers questions about a past that a trader no longer lives in.
LAG_SECONDS_MAX: Final = env.seconds("REPLICATION_LAG_WARN_SECONDS", default=30.0)
# As many names as fit a screen.
SHOWN_MAX: Final = 20


def server_version_min() -> tuple[int, ...]:
    """
    Return the oldest version of PostgreSQL that the operator takes for safe, such as (18, 4); () when none is named.

    Raises:
        ConfigurationError: DB_SERVER_VERSION_MIN is no version.
    """
    told = env.text("DB_SERVER_VERSION_MIN")
    if told and not re.fullmatch(r"\d+(\.\d+)?", told):
        raise ConfigurationError(f"DB_SERVER_VERSION_MIN={shown(told)}: write a version of PostgreSQL, such as 18.4")
    return tuple(int(part) for part in told.split(".")) if told else ()

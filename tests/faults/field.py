"""What the matrix of faults is made of: the things to break, and what a fault is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

from tests.faults.crew import Child
from tests.faults.ground import Ground
from tests.faults.names import Names
from tests.faults.proxy import FaultProxy

__all__ = ["PASSWORD", "ROLE", "TABLES", "Fault", "Field", "Provoke"]

# Whom the logging process is for the server, so that what befalls it is told apart.
ROLE: Final = "laboratory"
PASSWORD: Final = "only for tests"
TABLES: Final = ("trading_engine_trade", "trading_engine_order")


@dataclasses.dataclass
class Field:
    """What there is to break, and the process that logs, once it is there."""

    ground: Ground
    proxy: FaultProxy
    names: Names
    child: Child | None = None


Provoke = Callable[[Field], AbstractContextManager[None]]


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """
    One kind of fault.

    Attributes:
        provoke: has it for as long as its context lasts.
        raises: the SQLSTATE that the server has to answer the logging process with meanwhile; "" when no answer comes.
    """

    provoke: Provoke
    raises: str = ""

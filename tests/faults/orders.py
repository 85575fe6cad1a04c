"""What a child of the laboratory is told to do."""

from __future__ import annotations

import dataclasses
from typing import Any

__all__ = ["Orders"]


@dataclasses.dataclass(frozen=True, slots=True)
class Orders:
    """
    What a child is to do.

    Attributes:
        task: a function of tests.faults.child.
        log: file that it writes its history or its answer to.
        number: of the child, part of the keys of its calls.
        failpoint, hit: where it is to die, and the how manyth time it comes by there.
        variant: name of a wrong variant of the write path that it is to run (see tests.faults.variants).
        settings: bounds of the write path that differ from the ordinary ones.
        server_options: for libpq, beside the ordinary ones, such as "-c idle_in_transaction_session_timeout=100".
        options: for the task.
    """

    task: str
    log: str
    number: int = 0
    failpoint: str = ""
    hit: int = 1
    variant: str = ""
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    server_options: str = ""
    options: dict[str, Any] = dataclasses.field(default_factory=dict)

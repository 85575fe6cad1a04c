"""After a fork: the child's copies of its parent's journals are the parent's, and say so."""

from __future__ import annotations

import os
import weakref
from typing import Protocol

__all__ = ["disown_in_children"]


class _Disowned(Protocol):
    def disown(self) -> None:
        """Leave the files to the parent."""


_theirs: weakref.WeakSet[_Disowned] = weakref.WeakSet()


def disown_in_children(journal: _Disowned) -> None:
    """Call `journal.disown()` in every process that is forked from now on, as long as the journal is in use."""
    _theirs.add(journal)


def _disown_all() -> None:
    for journal in list(_theirs):
        journal.disown()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_disown_all)

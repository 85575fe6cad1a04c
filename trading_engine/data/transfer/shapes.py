"""
Files in the shapes of other systems, for who goes back to one. Upper floors register theirs:

    register_shape("blueprint", write_blueprint)          # in AppConfig.ready()
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from friren.accounts import AccountHandle

__all__ = ["Shaped", "register_shape", "shape_named", "shapes"]


@dataclass(frozen=True, slots=True)
class Shaped:
    """One file: how many records it has, and how many rows have no place in its shape."""

    file: str
    records: int
    left_out: int = 0


# `work(folder, account)` writes files into an empty folder; `account` is None where none was named.
Shape = Callable[[Path, AccountHandle | None], list[Shaped]]

_shapes: dict[str, Shape] = {}


def register_shape(name: str, work: Shape) -> None:
    """Let `export_data --shape NAME` be done by `work`."""
    _shapes[name] = work


def shapes() -> tuple[str, ...]:
    """Return the names that are registered."""
    return tuple(sorted(_shapes))


def shape_named(name: str) -> Shape:
    """Return what writes a shape. KeyError: none of this name is registered."""
    return _shapes[name]

"""Which database a journal was written for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Self

import msgspec

__all__ = ["Address"]

# 64 bits: enough to tell the databases of one machine apart, short enough for any path.
_FOLDER_DIGITS = 16


class Address(msgspec.Struct, frozen=True):
    """Host, port and name of a database: a journal is drained into the one it was written for, and no other."""

    host: str
    port: str
    name: str

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        """Return the address of one entry of Django's DATABASES."""
        return cls(host=str(settings.get("HOST") or ""), port=str(settings.get("PORT") or ""), name=settings["NAME"])

    @property
    def folder(self) -> str:
        """The name of its folder."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:_FOLDER_DIGITS]

    def __str__(self) -> str:
        return f"{self.name} at {self.host or 'the local socket'}{':' + self.port if self.port else ''}"

"""
Facts as bytes: what the journal holds.

A record is JSON, an object {"v", "kind", "id", "values"}; a value has the JSON form of its type (decimals, UUIDs
and times as text) and is read back by the field of the model it belongs to. `v` is the version of the kind's
fields: what an older Friren wrote is brought up to date by upcasters when it is read. Never pickle: a journal
can be written by whoever may write the folder.

A record of the kind "group" has the records of several facts in its values (see friren.persistence.groups).

A record with "rejected" holds what a caller said of an executed fill that could not be taken (see `encode_rejected`).
"""

from __future__ import annotations

import datetime as dt
import functools
import json
import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final, TypedDict
from uuid import UUID

import msgspec

from friren.core.ids import new_id
from friren.errors import FrirenError, RejectedRecordError, shown
from friren.persistence.facts import Fact, spec_named
from friren.persistence.groups import GROUP, group_of, parts_of

__all__ = [
    "RejectedFill",
    "UnreadableRecordError",
    "Upcaster",
    "decode",
    "encode",
    "encode_rejected",
    "register_record",
    "register_upcaster",
]

# Deeper than anything a record may hold, and an end for a tree that holds itself.
SAID_DEPTH_MAX: Final = 40
# Wider than any column; Python refuses to write out integers of some thousand digits.
SAID_INT_MAX: Final = 10**1000
# The version of kinds whose fields have not changed since the first release.
FIRST_VERSION: Final = 1

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]

_upcasters: dict[tuple[str, int], Upcaster] = {}
_versions: dict[str, int] = {}
_records: dict[str, Mapping[str, Any]] = {}
_encoder: Final = msgspec.json.Encoder()
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class UnreadableRecordError(FrirenError):
    """A record of a journal cannot be read by this version of Friren. It belongs to the dead letters."""


class RejectedFill(FrirenError):  # noqa: N818 - not an error of the reader: it is what the record says
    """
    A record that says: a caller described an executed fill, and the description was refused.

    Attributes:
        kind: what it was to become, e.g. "trade".
        id: of this record.
        error_class, error: why it was refused.
        said: what the caller said, as text where JSON has no form for it.
    """

    def __init__(self, *, kind: str, id: UUID, error_class: str, error: str, said: Any) -> None:  # noqa: A002
        self.kind, self.id, self.error_class, self.error, self.said = kind, id, error_class, error, said
        super().__init__(error)


class _Record(msgspec.Struct, omit_defaults=True):
    v: int
    kind: str
    id: UUID
    values: dict[str, Any]
    rejected: list[str] | None = None


class _Envelope(msgspec.Struct):
    v: int
    kind: str
    id: UUID
    values: msgspec.Raw
    rejected: list[str] | None = None


class _Parts(msgspec.Struct):
    parts: list[_Envelope]


_envelopes: Final = msgspec.json.Decoder(_Envelope)
_parts: Final = msgspec.json.Decoder(_Parts)
_names: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def register_record(kind: str, fields: Mapping[str, Any]) -> None:
    """
    Let something that is no fact table travel through the journal as facts do; its handler stores it.

    Args:
        fields: type by name.
    """
    _records[kind] = fields
    _decoder.cache_clear()


def register_upcaster(kind: str, version: int, upcaster: Upcaster) -> None:
    """
    Let records of `kind` written in `version` be read: `upcaster` returns the JSON values of version + 1.

    The newest version of a kind is one more than its last upcaster's.
    """
    _upcasters[kind, version] = upcaster
    _versions[kind] = max(_versions.get(kind, FIRST_VERSION), version + 1)


def encode(fact: Fact) -> bytes:
    """Return a fact as a record of a journal."""
    return _encoder.encode(_record_of(fact))


def _record_of(fact: Fact) -> _Record:
    values = fact.values
    if fact.kind == GROUP:
        values = {"parts": [_record_of(part) for part in parts_of(fact)]}
    return _Record(_versions.get(fact.kind, FIRST_VERSION), fact.kind, fact.id, values)


def encode_rejected(kind: str, said: Mapping[str, Any], error: RejectedRecordError) -> bytes:
    """Return the record that keeps what a caller said of a fill, and why it was refused. Takes any values."""
    plain = {str(name): _said(value, SAID_DEPTH_MAX) for name, value in said.items()}
    why = [type(error).__name__, str(error)]
    version = _versions.get(kind, FIRST_VERSION)
    record = {"v": version, "kind": kind, "id": str(new_id()), "values": plain, "rejected": why}
    text = json.dumps(record, ensure_ascii=False)
    # A lone surrogate, which UTF-8 does not have, is shown as Python would write it.
    return _LONE_SURROGATE.sub(lambda found: f"\\\\u{ord(found[0]):04x}", text).encode()


def _said(value: Any, depth: int) -> Any:  # noqa: PLR0911 - one form each
    """Return what a caller said in a form that JSON has; what has none is shown. Never raises, whatever it is."""
    if value is None or isinstance(value, bool | str):
        return value
    if type(value) is int:
        return value if -SAID_INT_MAX < value < SAID_INT_MAX else shown(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, Decimal | UUID | dt.datetime | dt.date):
        return str(value)
    if depth and isinstance(value, Mapping):
        return {key if isinstance(key, str) else shown(key): _said(item, depth - 1) for key, item in value.items()}
    if depth and isinstance(value, list | tuple):
        return [_said(item, depth - 1) for item in value]
    return shown(value)


def decode(payload: bytes) -> Fact:
    """
    Return the fact that a record holds.

    Raises:
        UnreadableRecordError: it is none, or of a kind or version that is not known here.
        RejectedFill: it keeps a refused description of a fill.
    """
    try:
        record = _envelopes.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
        raise UnreadableRecordError(f"no record: {exc}") from exc
    if record.rejected is not None:
        raise RejectedFill(
            kind=record.kind,
            id=record.id,
            error_class=(record.rejected or [""])[0],
            error=": ".join(record.rejected[1:]),
            said=msgspec.json.decode(record.values),
        )
    if record.kind == GROUP:
        return _group(record.values)
    return _fact(record)


def _group(values: msgspec.Raw) -> Fact:
    try:
        parts = _parts.decode(values).parts
    except msgspec.MsgspecError as exc:
        raise UnreadableRecordError(f"no group of records: {exc}") from exc
    if not parts:
        raise UnreadableRecordError("a group of no records")
    return group_of([_fact(part) for part in parts])


def _fact(record: _Envelope) -> Fact:
    try:
        raw = _up_to_date(record)
        values = _decoder(record.kind).decode(raw)
        if len(values) != len(_names.decode(raw)):
            # A field that is not known here would be lost in silence.
            raise UnreadableRecordError(f"{record.kind}: fields that this Friren does not know")
    except KeyError as exc:
        raise UnreadableRecordError(f"no kind of fact is called {record.kind!r}") from exc
    except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
        raise UnreadableRecordError(f"{record.kind}: {exc}") from exc
    return Fact(kind=record.kind, id=record.id, values=values)


def _up_to_date(record: _Envelope) -> bytes | msgspec.Raw:
    newest = _versions.get(record.kind, FIRST_VERSION)
    if record.v == newest:
        return record.values
    if not FIRST_VERSION <= record.v < newest:
        raise UnreadableRecordError(f"{record.kind} of version {record.v}; this Friren reads up to {newest}")
    values = msgspec.json.decode(record.values)
    for version in range(record.v, newest):
        values = _upcasters[record.kind, version](values)
    return _encoder.encode(values)


@functools.cache
def _decoder(kind: str) -> msgspec.json.Decoder[dict[str, Any]]:
    fields = _records.get(kind) or {field.name: field.wire for field in spec_named(kind).fields.values()}
    return msgspec.json.Decoder(TypedDict(kind, dict(fields), total=False))  # type: ignore[operator]  # made at run time

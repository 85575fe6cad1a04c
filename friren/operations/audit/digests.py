"""
Does a row still say what its writer said? Its digest was made on the writer's side, before any database had seen it.

Slower than the hash of a row, since the digest is of values and not of text: asked once for each row, before it is
sealed, and again for all of them when somebody wants to know.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from friren.core.models import FactModel
from friren.operations.audit.compare import Fault
from friren.persistence.facts import FieldSpec, spec_of

__all__ = ["altered"]

# What one fetch brings; a row may hold long texts.
ROWS_AT_ONCE: Final = 2_000


def altered(model: type[FactModel], first: int, last: int, *, using: str) -> Iterator[Fault]:
    """Yield the rows numbered `first` to `last` whose columns do not give their digest."""
    spec = spec_of(model)
    digested = [(field, _attribute(model, field)) for field in spec.fields.values() if field.digested]
    keys = _NaturalKeys(model, using)
    rows = model._default_manager.using(using).filter(recorded_seq__range=(first, last)).order_by()
    columns = ("id", "recorded_seq", "digest", *(attribute for _field, attribute in digested))
    for key, seq, digest, *values in rows.values_list(*columns).iterator(chunk_size=ROWS_AT_ONCE):
        told: dict[str, Any] = {}
        for (field, _attribute_name), value in zip(digested, values, strict=True):
            if value is None:
                continue
            said = value if field.natural is None else keys.of(field, value)
            said = bytes(said) if isinstance(said, memoryview) else said
            if field.default is None or said != field.default:
                told[field.name] = said
        if spec.digest_of(told) != bytes(digest):
            table = model._meta.db_table
            yield Fault(table=table, id=str(key), recorded_seq=seq, what="is not what its digest was made of")


class _NaturalKeys:
    """The natural keys of rows that facts refer to, looked up once each."""

    def __init__(self, model: type[FactModel], using: str) -> None:
        self._model, self._using = model, using
        self._known: dict[tuple[str, Any], Any] = {}

    def of(self, field: FieldSpec, value: Any) -> Any:
        known = self._known.get((field.name, value))
        if known is None and field.natural is not None:
            related: Any = self._model._meta.get_field(field.name).related_model
            row = related._base_manager.using(self._using).get(pk=value)
            known = self._known[field.name, value] = field.natural.parse(field.name, row)
        return known


def _attribute(model: type[FactModel], field: FieldSpec) -> str:
    found: Any = model._meta.get_field(field.name)
    return str(found.attname)

"""Where the values of a fact stand in its row: worked out once per kind, for single rows and for lines of COPY."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import psycopg

from friren.persistence.facts import Fact, FactSpec, NaturalKey, spec_named
from friren.persistence.wire import BINARY, NULL, TEXT, Form, form_of, in_line

__all__ = ["Layout", "layout_of", "lines_of", "natural_keys"]


@dataclasses.dataclass(frozen=True, slots=True)
class Layout:
    """
    The row of a kind of fact.

    Attributes:
        table: its name.
        columns: those a writer fills: id, digest, producer where there is one, the fields'.
        formats: of the columns' values as parameters.
        has_producer: whether the third is the producer.
        places: where a field stands, the form of its values and the natural key they may be told by.
        blank: the row of a fact whose every field has its default.
        line_forms, blank_line: the same for lines of COPY.
    """

    table: str
    columns: tuple[str, ...]
    formats: tuple[int, ...]
    has_producer: bool
    places: dict[str, tuple[int, Form, NaturalKey | None]]
    blank: tuple[bytes | None, ...]
    line_forms: dict[str, tuple[int, Form]]
    blank_line: tuple[str, ...]


@functools.cache
def layout_of(kind: str) -> Layout:
    """Return the layout of a kind of fact."""
    spec = spec_named(kind)
    columns = ["id", "digest"]
    has_producer = any(field.name == "producer" for field in spec.model._meta.concrete_fields)
    if has_producer:
        columns.append("producer")
    formats = [TEXT, BINARY, TEXT][: len(columns)]
    blank: list[bytes | None] = [None] * len(columns)
    blank_line = [NULL] * len(columns)
    places, line_forms = {}, {}
    for field in spec.fields.values():
        of: Any = spec.model._meta.get_field(field.name)
        (parameter_format, form), line_form = form_of(of), in_line(of)
        places[field.name] = (len(columns), form, field.natural)
        line_forms[field.name] = (len(columns), line_form)
        columns.append(field.column)
        formats.append(parameter_format)
        blank.append(None if field.default is None else form(field.default).encode())
        blank_line.append(NULL if field.default is None else line_form(field.default))
    return Layout(
        spec.model._meta.db_table, tuple(columns), tuple(formats), has_producer,
        places, tuple(blank), line_forms, tuple(blank_line),
    )  # fmt: skip


def natural_keys(spec: FactSpec, facts: Sequence[Fact], *, using: str) -> dict[str, dict[Any, Any]]:
    """Return the primary keys of the rows that facts name by natural key, by field; unknown rows are made."""
    found: dict[str, dict[Any, Any]] = {}
    for name, field in spec.fields.items():
        if field.natural is None:
            continue
        keys = {_hashable(value): fact for fact in facts if (value := fact.values.get(name)) is not None}
        # In one order for all, so that two who make the same symbols do not wait for one another in a circle.
        found[name] = {
            key: field.natural.resolve(keys[key].values[name], keys[key], using=using) for key in sorted(keys, key=repr)
        }
    return found


def lines_of(
    facts: Iterable[Fact], layout: Layout, naturals: Mapping[str, Mapping[Any, Any]], *, producer: UUID | None
) -> Iterator[str]:
    """
    Yield the rows of facts as lines of COPY.

    Raises:
        psycopg.DataError: a value has no form.
    """
    blank = list(layout.blank_line)
    if producer is not None and layout.has_producer:
        blank[2] = producer.hex
    forms = dict(layout.line_forms)
    for name, known in naturals.items():
        forms[name] = (forms[name][0], _told_by(known))
    for fact in facts:
        row = blank.copy()
        try:
            row[0], row[1] = fact.id.hex, "\\\\x" + fact.digest.hex()
            for name, value in fact.values.items():
                place, form = forms[name]
                row[place] = NULL if value is None else form(value)
        except (ValueError, TypeError, LookupError, AttributeError) as exc:
            raise psycopg.DataError(f"{type(exc).__name__}: {exc}") from exc
        yield "\t".join(row)


def _told_by(known: Mapping[Any, Any]) -> Form:
    forms = {key: str(found) for key, found in known.items()}
    return lambda value: forms[_hashable(value)]


def _hashable(key: Any) -> Any:
    return tuple(key) if isinstance(key, list) else key

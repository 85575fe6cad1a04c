"""Values that the fields of a fact take, for property tests over every kind."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from functools import partial

from django.contrib.postgres.fields import ArrayField
from django.db import models
from hypothesis import strategies as st

from friren.core.fields import BoundedDecimalField, ChoiceField
from friren.persistence.facts import Fact, FactSpec, fact_kinds, spec_named
from trading_engine.pairs.keys import pairs_by_key

# What PostgreSQL's text holds: no NUL, no lone surrogates.
texts = st.text(st.characters(exclude_characters="\x00", exclude_categories=("Cs",)), max_size=30)
times = st.datetimes(dt.datetime(1, 1, 2), dt.datetime(9999, 12, 30), timezones=st.just(dt.UTC))  # noqa: DTZ001 - zoned here
scalars = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | texts
)
trees = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))


def _decimals(field: BoundedDecimalField) -> st.SearchStrategy:
    low, high = max(field.minimum, Decimal(-(10**19))), min(field.maximum, Decimal(10**19))
    return st.decimals(low, high, places=field.decimal_places, allow_nan=False, allow_infinity=False).filter(
        field.allows
    )


def _strategy(spec: FactSpec, name: str) -> st.SearchStrategy:
    field = spec.model._meta.get_field(name)
    if spec.fields[name].natural is pairs_by_key:
        return st.lists(texts.filter(bool), min_size=2, max_size=2, unique=True)
    if spec.fields[name].natural is not None:
        return st.tuples(texts.filter(bool), texts)
    while isinstance(field, models.ForeignKey):
        field = field.target_field
    for kind, make in (
        (BoundedDecimalField, _decimals),
        (ChoiceField, lambda f: st.sampled_from(sorted(f.stored.values()))),
        (ArrayField, lambda _f: st.lists(texts, max_size=3)),
        (models.JSONField, lambda f: trees if f.default is models.NOT_PROVIDED else _of_kind(f)),
        (models.FloatField, lambda _f: st.floats(allow_nan=False, allow_infinity=False)),
        (models.BooleanField, lambda _f: st.booleans()),
        (models.PositiveIntegerField, lambda _f: st.integers(1, 2**31 - 1)),
        (models.IntegerField, lambda _f: st.integers(1, 2**31 - 1)),
        (models.UUIDField, lambda _f: st.uuids()),
        (models.DateTimeField, lambda _f: times),
        (models.DateField, lambda _f: st.dates()),
        (models.BinaryField, lambda _f: st.binary(max_size=20)),
        (models.GenericIPAddressField, lambda _f: st.ip_addresses().map(str)),
        ((models.CharField, models.TextField), lambda _f: texts),
    ):
        if isinstance(field, kind):
            return make(field)
    raise AssertionError(f"no strategy for {field!r}")


def _of_kind(field: models.JSONField) -> st.SearchStrategy:
    inner = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3), max_leaves=5)
    return st.lists(inner, max_size=3) if field.default is list else st.dictionaries(texts, inner, max_size=3)


def stored(spec: FactSpec, told: dict) -> dict:
    """What a fact keeps of values that are right one by one; the rules of the table are another matter."""
    found = {}
    for name, value in told.items():
        check, default, _seen = spec.entries[name]
        kept = check(name, value)
        if kept != default:
            found[name] = kept
    return found


def _limit(spec: FactSpec, told: dict) -> dict:
    lengths = {
        name: getattr(spec.model._meta.get_field(name), "max_length", None)
        for name, value in told.items()
        if isinstance(value, str)
    }
    kept = {name: value[: lengths[name]] if lengths.get(name) else value for name, value in told.items()}
    # Text that may not be blank is left out rather than made up.
    return {name: value for name, value in kept.items() if value != ""}


def values_of(kind: str) -> st.SearchStrategy[dict]:
    spec = spec_named(kind)
    return st.fixed_dictionaries({}, optional={name: _strategy(spec, name) for name in spec.fields}).map(
        partial(_limit, spec)
    )


def facts() -> st.SearchStrategy[Fact]:
    """Facts of every kind."""
    return st.sampled_from(fact_kinds()).flatmap(
        lambda kind: st.builds(
            lambda key, told: Fact(kind=kind, id=key, values=stored(spec_named(kind), told)),
            st.uuids(),
            values_of(kind),
        )
    )

"""A fact read back from PostgreSQL has the digest it was stored with, whatever its fields hold."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import models
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from friren.core.models import FactModel, SeriesModel
from friren.errors import KeyReusedError, RejectedRecordError
from friren.operations.audit.digests import altered
from friren.persistence.facts import make_fact, natural_key_of, spec_of
from friren.persistence.handlers import insert
from tests.fact_strategies import allowed
from tests.factories import factories

FACTS = [model for model in apps.get_models() if issubclass(model, FactModel)]
SERIES = [model for model in apps.get_models() if issubclass(model, SeriesModel)]
PHASES = (Phase.generate, Phase.shrink)


def told(row: models.Model) -> dict[str, object]:
    """The fields of a row as a caller would give them."""
    values = {}
    for name in spec_of(type(row)).fields:
        field = row._meta.get_field(name)
        value = getattr(row, name if natural_key_of(field) else field.attname)
        values[name] = bytes(value) if isinstance(value, memoryview) else value
    return values


@pytest.mark.parametrize("model", FACTS, ids=lambda model: model.__name__)
def test_digest_of_the_row_is_the_stored_one(model) -> None:
    first = factories()[model].create()
    base = told(first)
    # What there is one of for each of another row wants another row each time.
    alone = [field for field in model._meta.concrete_fields if field.one_to_one and not field.null]
    drawn = {name: made for name in base if (made := allowed(model._meta.get_field(name))) is not None}

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), database=None, phases=PHASES)
    @given(st.fixed_dictionaries({}, optional=drawn))
    def store_and_read(values) -> None:
        try:
            others = {field.name: factories()[field.related_model].create(account=first.account) for field in alone}
            fact = make_fact(model, **{**base, **values, **others})
            receipt = insert(fact, using="default")
        except KeyReusedError:
            assume(False)
        except RejectedRecordError as exc:
            assert "the database refuses" not in exc.rule  # noqa: PT017 - only rules of the table may speak
            assume(False)
        row = model.objects.get(id=receipt.id)

        assert make_fact(model, id=row.id, **told(row)).digest == bytes(row.digest) == fact.digest
        assert list(altered(model, row.recorded_seq, row.recorded_seq, using="default")) == []

    store_and_read()


@pytest.mark.parametrize("model", SERIES, ids=lambda model: model.__name__)
def test_digest_of_a_point_of_a_series_is_the_stored_one(model) -> None:
    row = factories()[model].create()

    assert make_fact(model, id=row.id, **told(row)).digest == bytes(row.digest)

"""Every model has a factory, and what it makes is right: the checks of Django and of PostgreSQL both pass."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import models

from tests.factories import factories

OWN_APPS = ("core", "persistence", "operations", "jobs", "trading_engine", "portfolio_manager")
MODELS = [model for label in OWN_APPS for model in apps.get_app_config(label).get_models()]


def test_every_model_has_a_factory() -> None:
    assert set(factories()) == set(MODELS)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_makes_rows_that_pass_full_clean(model) -> None:
    soft = [
        field.name
        for field in model._meta.concrete_fields
        if isinstance(field, models.ForeignKey) and not field.db_constraint
    ]
    for row in factories()[model].create_batch(2):
        row.full_clean(exclude=soft)

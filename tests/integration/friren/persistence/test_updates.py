"""Many rows changed by one statement hold what their objects in memory hold."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import IntegrityError

from friren.persistence.facts import make_fact
from friren.persistence.handlers import apply
from friren.persistence.updates import update_rows
from tests.integration.friren.persistence.journals import AT, order
from trading_engine.models import ModelPrediction, Order

ODD = ["", "NULL", "{a,b}", 'say "so"', "back\\slash", "a,b", "ümlaut 東京", " "]  # fmt: skip


def test_texts_and_times_arrive_as_they_are(book) -> None:
    for number in range(len(ODD)):
        apply(order(book, number), using="default")
    rows = list(Order.objects.order_by("id"))
    for number, (row, text) in enumerate(zip(rows, ODD, strict=True)):
        row.venue = text
        row.submitted_at = AT + dt.timedelta(microseconds=number) if number % 2 else None

    update_rows(rows, ("venue", "submitted_at"), using="default")

    wanted = [(row.id, row.venue, row.submitted_at) for row in rows]
    assert list(Order.objects.order_by("id").values_list("id", "venue", "submitted_at")) == wanted
    assert set(Order.objects.values_list("status", flat=True)) == {"pending"}


def test_json_arrives_as_it_is_and_none_as_null() -> None:
    values = [None, {"a": [1, "x,y", None]}, [1.5], "text", True, 0]
    for _value in values:
        told = {"model_id": "m", "model_version": "1", "timestamp": AT}
        apply(make_fact(ModelPrediction, **told), using="default")
    rows = list(ModelPrediction.objects.order_by("id"))
    for row, value in zip(rows, values, strict=True):
        row.actual, row.resolved_at = value, AT

    update_rows(rows, ("actual", "resolved_at"), using="default")

    assert list(ModelPrediction.objects.order_by("id").values_list("actual", flat=True)) == values
    assert ModelPrediction.objects.filter(actual__isnull=True).count() == 1


def test_no_rows_are_no_statement_and_a_broken_rule_is_an_error(book) -> None:
    update_rows([], ("status",), using="default")
    for number in range(2):
        apply(order(book, number), using="default")
    rows = list(Order.objects.all())
    for row in rows:
        row.external_id = "77"

    with pytest.raises(IntegrityError, match="order_external"):
        update_rows(rows, ("external_id",), using="default")

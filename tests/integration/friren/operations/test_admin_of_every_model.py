"""What holds for every table in the admin: it is there, answers cheaply, and what is recorded stays as it is."""

from __future__ import annotations

import re

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from friren.core.models import FactModel, ProjectionModel, SeriesModel, SystemMetadata
from friren.operations.admin.bases import BaseAdmin, ReadOnlyAdmin
from portfolio_manager.models import AccountState
from tests.factories import UserFactory, factories

OWN_APPS = ("core", "persistence", "operations", "jobs", "trading_engine", "portfolio_manager")
MODELS = [model for label in OWN_APPS for model in apps.get_app_config(label).get_models()]
PADDED = re.compile(r"\d\.\d*0{6,}|\dE[-+]\d")


def by_name(model) -> str:
    return model.__name__


every_model = pytest.mark.parametrize("model", MODELS, ids=by_name)
recorded = pytest.mark.parametrize(
    "model",
    [
        model
        for model in MODELS
        if issubclass(model, FactModel | SeriesModel | ProjectionModel | AccountState | SystemMetadata)
    ],
    ids=by_name,
)


def url(model, page: str, *args) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


@pytest.fixture
def client() -> Client:
    signed_in = Client()
    signed_in.force_login(UserFactory(is_staff=True, is_superuser=True))
    return signed_in


def queries_of(client, path) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        response = client.get(path)
    assert response.status_code == 200, response
    return len(captured)


def test_every_model_is_registered() -> None:
    assert set(MODELS) <= admin.site._registry.keys()
    assert all(isinstance(admin.site._registry[model], BaseAdmin) for model in MODELS)


@every_model
def test_list_and_page_answer_and_show_what_people_write(model, client) -> None:
    rows = factories()[model].create_batch(3)

    shown = client.get(url(model, "changelist"))
    assert shown.status_code == 200
    assert {str(row.pk) for row in rows} <= {str(row.pk) for row in shown.context["cl"].result_list}
    page = client.get(url(model, "change", rows[0].pk))
    assert page.status_code == 200

    for response in (shown, page):
        text = response.content.decode()
        assert not PADDED.search(text), PADDED.search(text)
        # What a strict content security policy would refuse.
        assert not re.search(r"<style|style=|<script(?![^>]*src=)|\son\w+=", text)


@every_model
def test_a_list_asks_as_many_queries_whatever_its_length(model, client) -> None:
    make = factories()[model]
    make.create_batch(2)
    client.get(url(model, "changelist"))  # warms what is looked up once per process
    few = queries_of(client, url(model, "changelist"))
    make.create_batch(6)

    assert queries_of(client, url(model, "changelist")) == few <= 9


@recorded
def test_nobody_edits_what_is_recorded(model, client) -> None:
    row = factories()[model]()
    before = model.objects.filter(pk=row.pk).values().get()
    page = client.get(url(model, "change", row.pk))

    assert isinstance(admin.site._registry[model], ReadOnlyAdmin)
    assert client.get(url(model, "add")).status_code == 403
    assert client.post(url(model, "add"), {}).status_code == 403
    assert client.post(url(model, "change", row.pk), {"reason": "edited"}).status_code == 403
    assert client.get(url(model, "delete", row.pk)).status_code == 403
    assert client.post(url(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert b'name="_save"' not in page.content
    client.post(
        url(model, "changelist"), {"action": "delete_selected", "_selected_action": [str(row.pk)], "post": "yes"}
    )
    assert model.objects.filter(pk=row.pk).values().get() == before


@every_model
def test_no_table_offers_to_delete(model, client) -> None:
    row = factories()[model]()

    assert client.post(url(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert b"delete_selected" not in client.get(url(model, "changelist")).content


@every_model
def test_is_closed_to_who_may_not_see_it(model) -> None:
    row = factories()[model]()
    stranger, clerk = Client(), Client()
    clerk.force_login(UserFactory(is_staff=True))

    for path in (url(model, "changelist"), url(model, "change", row.pk)):
        assert stranger.get(path).status_code == 302
        assert clerk.get(path).status_code == 403


def test_the_index_groups_all_of_it(client) -> None:
    page = client.get(reverse("admin:index"))
    groups = {group["name"]: [model["object_name"] for model in group["models"]] for group in page.context["app_list"]}

    assert list(groups) == [
        "Trading", "Decisions", "Books", "Market data", "Sentiment and models", "Backtests", "Accounts and people",
        "System",
    ]  # fmt: skip
    assert groups["Trading"][:3] == ["Trade", "Order", "Signal"]
    assert {name for names in groups.values() for name in names} == {model.__name__ for model in MODELS} | {"Group"}
    assert "<title>Everything that is recorded | Friren</title>" in re.sub(r"\s+(?=\|)", " ", page.content.decode())


@pytest.mark.parametrize("label", ["core", "trading_engine", "portfolio_manager"])
def test_the_page_of_a_django_app_answers(label, client) -> None:
    assert client.get(reverse("admin:app_list", args=[label])).status_code == 200


def test_pages_carry_a_strict_content_security_policy(client) -> None:
    policy = client.get(reverse("admin:index")).headers["Content-Security-Policy"]

    assert "script-src 'self';" in policy + ";"
    assert "style-src 'self';" in policy + ";"
    assert "unsafe" not in policy

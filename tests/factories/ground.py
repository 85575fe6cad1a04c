"""The ground floor, and what every factory of a fact shares."""

from __future__ import annotations

import datetime as dt

import factory
from factory.django import DjangoModelFactory

from friren.accounts import open_account
from friren.core.models import Account, AuditLog, SystemMetadata, User
from friren.persistence import handlers
from friren.persistence.facts import make_fact

MONDAY = dt.datetime(2024, 1, 8, 14, 30, tzinfo=dt.UTC)


def later(number: int) -> dt.datetime:
    """A moment of its own for the nth row, the later the higher the number."""
    return MONDAY + dt.timedelta(minutes=number)


class FactFactory(DjangoModelFactory):
    """Stores a fact as a logger does, and returns its row."""

    class Meta:
        abstract = True

    @classmethod
    def _create(cls, model_class, *_args, id=None, **values):  # noqa: A002 - the column's name
        fact = make_fact(model_class, id=id, **values)
        handlers.apply(fact, using="default")
        return model_class.objects.get(id=fact.id)


class UserFactory(DjangoModelFactory):
    class Meta:
        model = User

    username = factory.Sequence("trader-{}".format)
    email = factory.LazyAttribute(lambda user: f"{user.username}@example.org")
    password = "!"  # none; hashing one takes half a second


class AccountFactory(DjangoModelFactory):
    class Meta:
        model = Account

    owner = factory.SubFactory(UserFactory)
    name = factory.Sequence("book-{}".format)

    @classmethod
    def _create(cls, model_class, *_args, owner, **settings):
        return model_class.objects.get(id=open_account(owner=owner.username, **settings).id)


class SystemMetadataFactory(DjangoModelFactory):
    class Meta:
        model = SystemMetadata

    key = factory.Sequence("note-{}".format)
    value = "2024-01-08"


class AuditLogFactory(FactFactory):
    class Meta:
        model = AuditLog

    occurred_at = factory.Sequence(later)
    actor = factory.SubFactory(UserFactory)
    actor_label = factory.SelfAttribute("actor.username")
    action = "UPDATE"
    model_label = "trading_engine.Symbol"
    object_pk = factory.Sequence(str)
    before = {"sector": None}
    after = {"sector": "Energy"}
    source = "admin"
    remote_addr = "127.0.0.1"

"""Who owns the books, and the books themselves."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import ClassVar, Final

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from friren.core.choices import CostBasis, Environment, PositionMode, RiskTolerance
from friren.core.fields import BoundedDecimalField, ChoiceField
from friren.core.ids import natural_id
from friren.core.triggers import frozen_columns

__all__ = ["SYSTEM_USERNAME", "Account", "User"]

# Owner of the accounts that nobody in particular opened. Has no password.
SYSTEM_USERNAME: Final = "system"


class User(AbstractUser):
    """A person or service that may sign in."""

    id = models.BigAutoField(primary_key=True)
    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    default_position_size = BoundedDecimalField(
        max_digits=5,
        decimal_places=2,
        minimum=Decimal(0),
        maximum=Decimal(100),
        default=Decimal("2.00"),
        help_text="Percent of equity per position.",
    )
    risk_tolerance = ChoiceField(max_length=10, choices=RiskTolerance, default=RiskTolerance.MEDIUM)
    notification_preferences = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = "User"
        verbose_name_plural = "Users"
        constraints: ClassVar = [
            # Accounts without an address are many; an address in whatever case is one person.
            models.UniqueConstraint(Lower("email"), name="user_email", condition=~Q(email="")),
        ]


class Account(models.Model):
    """
    One set of books.

    The id is the UUIDv5 of (owner's username, name), so it is known with no database. What the books
    are computed from (environment, currency, cost basis, position mode) never changes.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="accounts")
    name = models.CharField(max_length=100)
    environment = ChoiceField(max_length=10, choices=Environment, default=Environment.PAPER)
    base_currency = models.CharField(max_length=10, default="USD")
    cost_basis = ChoiceField(max_length=10, choices=CostBasis, default=CostBasis.AVERAGE)
    position_mode = ChoiceField(max_length=10, choices=PositionMode, default=PositionMode.NETTING)
    timezone = models.CharField(max_length=64, default="UTC")
    is_active = models.BooleanField(default=True)
    closed_until = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Facts dated before this are refused."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["owner", "name"], name="account_name"),
            models.CheckConstraint(
                condition=~Q(name="") & ~Q(base_currency=""),
                name="ck_account_named",
                violation_error_code="name",
                violation_error_message="account name and base currency must not be empty",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["environment"], name="account_environment")]
        triggers: ClassVar = [
            frozen_columns("id", "owner", "name", "environment", "base_currency", "cost_basis", "position_mode")
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.environment})"

    @staticmethod
    def id_of(*, owner: str, name: str) -> uuid.UUID:
        """Return the id of the account `name` of the user `owner`."""
        return natural_id("account", owner, name)

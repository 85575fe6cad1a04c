"""Trade ideas under approval, every decision about them, and what became of those that were turned down."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from friren.core.fields import ChoiceField, MoneyField, PriceField, QuantityField, RatioField
from friren.core.models import FactModel
from friren.core.triggers import fact_triggers, same_account
from portfolio_manager.models.choices import DecisionAction, Direction, IdeaStatus
from portfolio_manager.models.idea_queries import DecisionQuerySet, TradeIdeaQuerySet
from trading_engine.models.choices import ExitReason
from trading_engine.models.relations import fact_key

__all__ = ["DecisionHistory", "IdeaOutcome", "TradeIdea"]

IDEA_LIFECYCLE = ("status", "reviewed_by", "reviewed_at", "order", "trade", "updated_at")


class TradeIdea(FactModel):
    """
    A proposal to trade, under approval. Its moves are told by DecisionHistory, one row each.

    `entry_range` is {"low": price, "high": price}. `quantity` is what is to be traded; null until somebody says so at
    the latest when it is executed. `snapshot_ref` groups what the system saw when it proposed.
    """

    lifecycle = IDEA_LIFECYCLE

    account = fact_key("core.Account")
    symbol = fact_key("trading_engine.Symbol", related_name="ideas")
    direction = ChoiceField(max_length=8, choices=Direction)
    entry_price = PriceField(null=True, blank=True)
    entry_range = models.JSONField(null=True, blank=True)
    stop_loss = PriceField(null=True, blank=True)
    take_profit = PriceField(null=True, blank=True)
    quantity = QuantityField(positive=True, null=True, blank=True)
    expected_hold = models.CharField(max_length=64, blank=True)
    rationale = models.TextField(blank=True)
    confidence_score = RatioField()
    status = ChoiceField(max_length=16, choices=IdeaStatus, default=IdeaStatus.WAITING)
    strategy = fact_key("portfolio_manager.Strategy", related_name="trade_ideas", optional=True)
    snapshot_ref = models.UUIDField(null=True, blank=True)
    order = models.OneToOneField(
        "trading_engine.Order", on_delete=models.PROTECT, null=True, blank=True, related_name="idea"
    )
    trade = models.OneToOneField(
        "trading_engine.Trade", on_delete=models.PROTECT, null=True, blank=True, related_name="idea"
    )
    reviewed_by = fact_key(settings.AUTH_USER_MODEL, related_name="reviewed_ideas", optional=True)
    reviewed_at = models.DateTimeField(null=True, blank=True)
    proposed_at = models.DateTimeField()
    # The database fills it in where a fact is inserted; a move sets it.
    updated_at = models.DateTimeField(auto_now=True, db_default=Now())

    objects = TradeIdeaQuerySet.as_manager()

    class Meta(FactModel.Meta):
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(entry_price__isnull=False) | Q(entry_range__isnull=False),
                name="ck_idea_entry",
                violation_error_code="entry_price",
                violation_error_message="give an entry_price or an entry_range",
            ),
            models.CheckConstraint(
                condition=(Q(direction=Direction.LONG) & Q(stop_loss__lt=F("take_profit")))
                | (Q(direction=Direction.SHORT) & Q(stop_loss__gt=F("take_profit"))),
                name="ck_idea_exits",
                violation_error_code="stop_loss",
                violation_error_message="lies below take_profit of a long idea, and above it of a short one",
            ),
            models.CheckConstraint(
                condition=Q(reviewed_by__isnull=True) | Q(reviewed_at__isnull=False),
                name="ck_idea_reviewed",
                violation_error_code="reviewed_at",
                violation_error_message="is set with reviewed_by",
            ),
        ]
        indexes: ClassVar = [
            *FactModel.Meta.indexes,
            models.Index(fields=["status"], name="idea_by_status"),
            models.Index(fields=["symbol", "created_at"], name="idea_by_symbol"),
            models.Index(fields=["account", "-proposed_at", "-id"], name="idea_by_account"),
            models.Index(fields=["strategy"], name="idea_by_strategy"),
            models.Index(fields=["snapshot_ref"], name="idea_by_ref"),
        ]
        triggers: ClassVar = fact_triggers(lifecycle=IDEA_LIFECYCLE)

    def __str__(self) -> str:
        return f"{self.direction} idea ({self.status})"


class DecisionHistory(FactModel):
    """
    What was decided, and why: by the system, its risk gate or a person.

    A decision that moves an idea says from which status to which, and is written with the move. One of no account is
    about all books: a halt, or its end.
    """

    # Worked out by the handler, not told by the caller.
    undigested = ("from_status",)

    account = fact_key("core.Account", optional=True)
    occurred_at = models.DateTimeField()
    symbol = fact_key("trading_engine.Symbol", related_name="decisions", optional=True)
    action = ChoiceField(max_length=20, choices=DecisionAction)
    from_status = ChoiceField(max_length=16, choices=IdeaStatus, blank=True)
    to_status = ChoiceField(max_length=16, choices=IdeaStatus, blank=True)
    rationale = models.TextField(blank=True)
    confidence_score = RatioField(null=True, blank=True)
    risk_check_result = models.JSONField(default=dict, blank=True)
    strategy = fact_key("portfolio_manager.Strategy", related_name="decision_history", optional=True)
    trade_idea = fact_key("portfolio_manager.TradeIdea", related_name="decision_history", optional=True)
    snapshot_ref = models.UUIDField(null=True, blank=True)
    human_override = models.BooleanField(default=False)
    actor = fact_key(settings.AUTH_USER_MODEL, related_name="decisions", optional=True)

    objects = DecisionQuerySet.as_manager()

    class Meta(FactModel.Meta):
        verbose_name = "Decision"
        verbose_name_plural = "Decisions"
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(trade_idea__isnull=True) | Q(account__isnull=False),
                name="ck_decision_account",
                violation_error_code="account",
                violation_error_message="is that of the idea",
            ),
            models.CheckConstraint(
                condition=Q(to_status="") | Q(trade_idea__isnull=False),
                name="ck_decision_move",
                violation_error_code="to_status",
                violation_error_message="only a decision about an idea moves one",
            ),
        ]
        indexes: ClassVar = [
            *FactModel.Meta.indexes,
            models.Index(fields=["occurred_at"], name="decision_by_time"),
            models.Index(fields=["account", "-occurred_at", "-id"], name="decision_by_account"),
            models.Index(fields=["symbol", "occurred_at"], name="decision_by_symbol"),
            models.Index(fields=["action", "occurred_at"], name="decision_by_action"),
            models.Index(fields=["trade_idea"], name="decision_by_idea"),
            models.Index(fields=["strategy"], name="decision_by_strategy"),
            models.Index(fields=["snapshot_ref"], name="decision_by_ref"),
        ]
        triggers: ClassVar = [*fact_triggers(), same_account("trade_idea", "portfolio_manager_tradeidea")]

    def __str__(self) -> str:
        return f"{self.action} at {self.occurred_at:%Y-%m-%d %H:%M}"


class IdeaOutcome(FactModel):
    """
    What would have come of an idea that was turned down, once its horizon has passed: one row per idea.

    Worked out from stored bars as `portfolio_manager.ideas.counterfactuals` says. The id is the UUIDv5 of the idea's.
    """

    # When the job happened to run says nothing about the outcome.
    undigested = ("evaluated_at",)

    account = fact_key("core.Account")
    trade_idea = models.OneToOneField("portfolio_manager.TradeIdea", on_delete=models.PROTECT, related_name="outcome")
    due_at = models.DateTimeField(help_text="The end of the horizon.")
    evaluated_at = models.DateTimeField()
    timeframe = models.CharField(max_length=8)
    source = models.CharField(max_length=50)
    price_after = PriceField(help_text="The close of the first bar that ends the horizon.")
    price_after_at = models.DateTimeField()
    reached = models.BooleanField(help_text="Whether the market came to the entry at all.")
    entry_price = PriceField(null=True, blank=True)
    entered_at = models.DateTimeField(null=True, blank=True)
    exit_price = PriceField(null=True, blank=True)
    exited_at = models.DateTimeField(null=True, blank=True)
    exit_reason = ChoiceField(max_length=12, choices=ExitReason, blank=True)
    pnl_per_unit = MoneyField(null=True, blank=True)
    pnl = MoneyField(null=True, blank=True, help_text="Of the idea's quantity, if it says one; without commission.")

    class Meta(FactModel.Meta):
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(
                    reached=True, entry_price__isnull=False, entered_at__isnull=False, exit_price__isnull=False,
                    exited_at__isnull=False, pnl_per_unit__isnull=False,
                )
                | Q(
                    reached=False, entry_price__isnull=True, entered_at__isnull=True, exit_price__isnull=True,
                    exited_at__isnull=True, pnl_per_unit__isnull=True, pnl__isnull=True,
                ),
                name="ck_outcome_reached",
                violation_error_code="reached",
                violation_error_message="entry, exit and profit are there exactly when the entry was reached",
            )
        ]  # fmt: skip
        indexes: ClassVar = [
            *FactModel.Meta.indexes,
            models.Index(fields=["account", "-due_at", "-id"], name="outcome_by_account"),
        ]
        triggers: ClassVar = [*fact_triggers(), same_account("trade_idea", "portfolio_manager_tradeidea")]

    def __str__(self) -> str:
        return f"{self.exit_reason or 'not reached'} until {self.due_at:%Y-%m-%d}"

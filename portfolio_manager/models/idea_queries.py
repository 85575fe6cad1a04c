"""Questions asked of ideas and decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

from django.db import models
from django.db.models import Count

from portfolio_manager.models.choices import IdeaStatus

if TYPE_CHECKING:
    from portfolio_manager.models.ideas import DecisionHistory, TradeIdea  # noqa: F401 - named in quotes below

__all__ = ["ACTIVE_IDEA_STATUSES", "DecisionQuerySet", "TradeIdeaQuerySet"]

ACTIVE_IDEA_STATUSES: Final = (IdeaStatus.WAITING, IdeaStatus.NEEDS_APPROVAL)


class TradeIdeaQuerySet(models.QuerySet["TradeIdea"]):
    """Ideas, narrowed by where they stand."""

    def active(self) -> Self:
        """Return those that wait for the gate or for a person."""
        return self.filter(status__in=ACTIVE_IDEA_STATUSES)

    def unjudged(self) -> Self:
        """Return those that were rejected and whose outcome is not worked out yet."""
        return self.filter(status=IdeaStatus.REJECTED, outcome__isnull=True)


class DecisionQuerySet(models.QuerySet["DecisionHistory"]):
    """Decisions, narrowed by what they did, and counted."""

    def moves(self) -> Self:
        """Return those that moved an idea; the others are notes, or about all books."""
        return self.exclude(to_status="")

    def by_action(self) -> dict[str, int]:
        """Return how many decisions there are of each action."""
        counted = self.order_by("action").values_list("action").annotate(Count("id"))
        return dict(counted)

"""The state machine of trade ideas: which decision moves an idea from where to where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from friren.errors import InvalidTransitionError
from portfolio_manager.models.choices import DecisionAction, IdeaStatus

__all__ = ["HUMAN_ACTIONS", "IDEA_MOVES", "check_idea_move"]

# (from, to) → the decision that makes the move; whoever decides otherwise is refused.
IDEA_MOVES: Final[Mapping[tuple[str, str], str]] = {
    (IdeaStatus.WAITING, IdeaStatus.NEEDS_APPROVAL): DecisionAction.AI_PROPOSED,
    (IdeaStatus.WAITING, IdeaStatus.AUTO_EXECUTED): DecisionAction.AI_AUTO_EXECUTED,
    (IdeaStatus.WAITING, IdeaStatus.REJECTED): DecisionAction.RISK_REJECTED,
    (IdeaStatus.WAITING, IdeaStatus.HALTED_BY_RISK): DecisionAction.AI_HALTED,
    (IdeaStatus.NEEDS_APPROVAL, IdeaStatus.AUTO_EXECUTED): DecisionAction.HUMAN_APPROVED,
    (IdeaStatus.NEEDS_APPROVAL, IdeaStatus.REJECTED): DecisionAction.HUMAN_REJECTED,
    (IdeaStatus.NEEDS_APPROVAL, IdeaStatus.HALTED_BY_RISK): DecisionAction.AI_HALTED,
    (IdeaStatus.HALTED_BY_RISK, IdeaStatus.WAITING): DecisionAction.AI_RESUMED,
}
# Decisions of people: they override what the system would do, and leave their name on the idea.
HUMAN_ACTIONS: Final = frozenset({DecisionAction.HUMAN_APPROVED, DecisionAction.HUMAN_REJECTED})


def check_idea_move(*, held: str, wanted: str, action: str) -> None:
    """
    Refuse a move that the state machine does not have, or has by another decision.

    Raises:
        InvalidTransitionError: `action` cannot move an idea from `held` to `wanted`.
    """
    if IDEA_MOVES.get((held, wanted)) == action:
        return
    ways = [f"{to} by {by}" for (start, to), by in IDEA_MOVES.items() if start == held]
    rule = f"{', '.join(ways) or 'nothing'} can follow {held}"
    raise InvalidTransitionError("to_status", wanted, f"{rule}; this is {action}")

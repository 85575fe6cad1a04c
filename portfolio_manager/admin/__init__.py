"""The portfolio floor's tables in the admin, and what it adds to the pages of the floors below."""

from portfolio_manager.admin import (
    books,
    decisions,
    explanation,
    facts,
    overview,
    reconciliation,
    snapshots,
    timeline,
)

__all__ = ["books", "decisions", "explanation", "facts", "overview", "reconciliation", "snapshots", "timeline"]

"""What was decided, newest first: about one idea, or in one account, with what stopped all books."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any, Final
from uuid import UUID

from django.contrib import admin
from django.http import Http404, HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode

from friren.core.models import Account, User
from friren.errors import RejectedRecordError
from friren.operations.admin.columns import shown
from friren.operations.admin.panels import register_tool
from friren.persistence.reads import newest_first
from portfolio_manager.admin.explanation import TEMPLATE, breaches_of, cell, explanation_link, page_link, require_view
from portfolio_manager.models import DecisionHistory, TradeIdea
from portfolio_manager.models.choices import IdeaStatus

__all__ = ["account_timeline", "idea_timeline"]

ENTRIES: Final = 50
Position = tuple[dt.datetime, UUID]


def idea_timeline(request: HttpRequest, idea: UUID) -> TemplateResponse:
    """Show every decision about an idea."""
    parts = [DecisionHistory.objects.filter(trade_idea=idea)]
    return _page(request, parts, "Decisions about an idea", page_link(TradeIdea, idea, "Idea"))


def account_timeline(request: HttpRequest, account: UUID) -> TemplateResponse:
    """Show every decision in an account, and those about all books: they stopped it as well."""
    found = Account.objects.filter(pk=account).first()
    if found is None:
        raise Http404
    # Two questions, each answered by an index in its order; one with an OR would sort all of them.
    parts = [DecisionHistory.objects.filter(account=account), DecisionHistory.objects.filter(account=None)]
    return _page(request, parts, f"Decisions in {found.name}", page_link(Account, account, found))


def _page(request: HttpRequest, parts: Iterable[Any], title: str, parent: Any) -> TemplateResponse:
    require_view(request, DecisionHistory, TradeIdea)
    after = _position(request)
    try:
        pages = [newest_first(rows, time="occurred_at", limit=ENTRIES, after=after, include_archive=True)
                 for rows in parts]  # fmt: skip
    except RejectedRecordError as exc:
        raise Http404 from exc
    rows = sorted((row for page in pages for row in page), key=lambda row: (row.occurred_at, row.id), reverse=True)
    more = len(rows) > ENTRIES or any(page.next for page in pages)
    del rows[ENTRIES:]
    last = rows[-1] if more else None
    # Of one moment: as they were stored. Pages are found by the id, which does not know.
    rows.sort(key=lambda row: (row.occurred_at, row.created_at), reverse=True)
    # Ideas may be archived, people may not: a name is looked up, a trade only where its idea is still there.
    names = dict(User.objects.filter(pk__in={row.actor for row in rows}).values_list("pk", "username"))
    trades = dict(TradeIdea.objects.filter(pk__in={row.trade_idea for row in rows}).values_list("pk", "trade"))
    context = admin.site.each_context(request) | {
        "title": title,
        "parent": parent,
        "entries": [_entry(row, names, trades) for row in rows],
        "pages": _pages(request, last, begun=after is not None),
    }
    return TemplateResponse(request, TEMPLATE, context)


def _position(request: HttpRequest) -> Position | None:
    moment, key = request.GET.get("before"), request.GET.get("id")
    if moment is None or key is None:
        return None
    try:
        return dt.datetime.fromisoformat(moment), UUID(key)
    except ValueError as exc:
        raise Http404 from exc


def _pages(request: HttpRequest, last: Any, *, begun: bool) -> list[Any]:
    told = [("« Newest", request.path)] if begun else []
    if last is not None:
        older = {"before": last.occurred_at.isoformat(), "id": last.id}
        told.append(("Older ›", f"{request.path}?{urlencode(older)}"))
    return [format_html('<a href="{}">{}</a>', url, text) for text, url in told]


def _entry(row: Any, names: Mapping[int, str], trades: Mapping[UUID, UUID | None]) -> dict[str, Any]:
    statuses = dict(IdeaStatus.choices)
    links = [page_link(DecisionHistory, row.id, "Decision")]
    if row.trade_idea is not None:
        links.append(page_link(TradeIdea, row.trade_idea, f"Idea, {row.symbol}" if row.symbol else "Idea"))
    if (trade := trades.get(row.trade_idea)) is not None:
        links.append(explanation_link(trade, "Its trade explained"))
    breaches = breaches_of(row.risk_check_result)
    # What the gate says of itself is the list of what it found.
    told = "; ".join("{}: {}, limit {}".format(*found) for found in breaches)
    return {
        "at": shown(row.occurred_at),
        "action": cell(DecisionHistory, "action", row),
        "move": " → ".join(str(statuses[one]) for one in (row.from_status, row.to_status) if one),
        "rationale": "" if row.rationale == told else row.rationale,
        "breaches": ["{}: {}, limit {} ({})".format(*found) for found in breaches],
        "by": f"by {names[row.actor]}" if row.actor in names else "by the system",
        "links": links,
    }


def _tool(row: Any) -> Any:
    kind = "idea" if isinstance(row, TradeIdea) else "account"
    return format_html('<a href="{}">Timeline</a>', reverse(f"admin:friren_decisions_of_{kind}", args=[row.pk]))


register_tool(_tool, TradeIdea, Account)

"""The page that explains a trade: why it was made and what came of it, link by link, and what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.text import capfirst

from friren.operations.admin.columns import is_empty, shown
from friren.operations.admin.panels import Heading, Panel, register_tool
from portfolio_manager.explaining import Explanation, explain_trade
from portfolio_manager.models import AccountSnapshot, DecisionHistory, Position, PositionFill, TradeIdea
from trading_engine.models import (
    CalendarSnapshot,
    CandleSnapshot,
    IndicatorSnapshot,
    MarketRegime,
    NewsSnapshot,
    Order,
    OrderStatusEvent,
    RegimeHistory,
    SentimentData,
    Signal,
    Trade,
    TradeStatusEvent,
)

__all__ = ["TEMPLATE", "breaches_of", "cell", "explanation_link", "explanation_page", "page_link", "require_view"]

TEMPLATE: Final = "admin/friren/reading.html"
Model = type[models.Model]
MOVES: Final = ("occurred_at", "from_status", "to_status", "reason")
# (title, attribute of the explanation, model, columns), in the order in which one led to another.
_LINKS: Final[tuple[tuple[str, str, Model, tuple[str, ...]], ...]] = (
    ("Signal", "signal", Signal,
     ("timestamp", "signal_type", "strategy_name", "target_price", "z_score", "confidence_score", "reasoning")),
    ("Idea", "idea", TradeIdea,
     ("proposed_at", "direction", "status", "entry_price", "stop_loss", "take_profit", "quantity",
      "confidence_score", "expected_hold", "rationale")),
    ("Decisions", "decisions", DecisionHistory,
     ("occurred_at", "action", "from_status", "to_status", "rationale", "human_override")),
    ("Order", "order", Order,
     ("requested_at", "action", "type", "quantity", "limit_price", "stop_loss_price", "target_price", "status",
      "venue", "external_id", "reasoning")),
    ("Moves of the order", "order_events", OrderStatusEvent, MOVES),
    ("Trade", "trade", Trade,
     ("executed_at", "symbol", "market", "action", "quantity", "price", "commission", "status", "strategy_used",
      "model_id", "regime_at_entry", "sentiment_score", "confidence_score", "reasoning", "shap_values")),
    ("Moves of the trade", "trade_events", TradeStatusEvent, MOVES),
    ("Other fills of the order", "other_fills", Trade, ("executed_at", "action", "quantity", "price", "status")),
    ("Effect on positions", "effects", PositionFill,
     ("executed_at", "role", "quantity", "cost", "realized_pnl", "commission", "quantity_after")),
    ("Outcome: positions", "positions", Position,
     ("opened_at", "side", "status", "quantity", "opened_quantity", "realized_pnl", "unrealized_pnl", "commission",
      "closed_at", "exit_reason")),
    ("Regimes at the time", "regimes", MarketRegime,
     ("started_at", "ended_at", "detector", "symbol", "regime_type", "vix_average")),
    ("What the detectors saw last", "observations", RegimeHistory,
     ("timestamp", "detector", "regime_type", "confidence_score", "transition_reason", "indicators_used")),
    ("Sentiments", "sentiments", SentimentData,
     ("timestamp", "news_source", "headline", "sentiment_score", "confidence", "model_id")),
)  # fmt: skip
_SEEN: Final[tuple[tuple[str, Model, tuple[str, ...]], ...]] = (
    ("candles", CandleSnapshot, ("captured_at", "symbol", "timeframe", "open", "high", "low", "close", "volume")),
    ("indicators", IndicatorSnapshot,
     ("captured_at", "symbol", "timeframe", "rsi_14", "sma_50", "sma_200", "macd", "atr")),
    ("calendar", CalendarSnapshot,
     ("event_time", "currency", "impact_level", "title", "previous_value", "forecast_value", "actual_value")),
    ("news", NewsSnapshot, ("published_at", "headline", "source")),
    ("accounts", AccountSnapshot, ("captured_at", "balance", "equity", "margin_used", "open_pl", "open_positions")),
)  # fmt: skip
# Of one row each; their columns stand below one another.
_SINGLE: Final = frozenset({"signal", "idea", "order", "trade"})
_VIEWED: Final = frozenset(model for _title, _name, model, _columns in _LINKS) | {m for _name, m, _columns in _SEEN}


def explanation_page(request: HttpRequest, trade: UUID) -> TemplateResponse:
    """Explain a trade. Who may not look at one of the tables may not look at it."""
    require_view(request, *_VIEWED)
    found = explain_trade(trade)
    if found is None or found.trade is None:
        raise Http404
    context = admin.site.each_context(request) | {
        "title": "Why this trade was made",
        "parent": page_link(Trade, trade, "Trade"),
        "panels": _panels(found),
        "note": "" if not found.stale else "The database cannot be asked; this is what was known before.",
    }
    return TemplateResponse(request, TEMPLATE, context)


def require_view(request: HttpRequest, *wanted: Model) -> None:
    """Refuse whoever may not look at all of these tables."""
    user: Any = request.user
    if not all(user.has_perm(f"{model._meta.app_label}.view_{model._meta.model_name}") for model in wanted):
        raise PermissionDenied


def explanation_link(trade: Any, text: str = "Explanation") -> Any:
    """Return a link to the page that explains a trade."""
    return format_html('<a href="{}">{}</a>', reverse("admin:friren_explanation", args=[trade]), text)


def page_link(model: Model, key: Any, text: Any) -> Any:
    """Return a link to the page of a row that is known by its key."""
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"
    return format_html('<a href="{}">{}</a>', reverse(name, args=[key]), text)


def cell(model: Model, name: str, row: Any, *, whole: bool = False) -> Any:
    """Return a value of a light row as the lists show it."""
    value, field = getattr(row, name), model._meta.get_field(name)
    choices = dict(getattr(field, "flatchoices", None) or ())
    if choices and not is_empty(value):
        return format_html('<span class="friren-choice friren-{}">{}</span>', value.lower(), choices.get(value, value))
    text = shown(value, whole=whole)
    return {None: "–", True: "yes", False: "no"}.get(text, text) if text is None or isinstance(text, bool) else text


def _panels(found: Explanation) -> list[Panel]:
    panels = []
    for title, name, model, columns in _LINKS:
        value = getattr(found, name)
        if not value:
            continue
        panels.append(_one(title, model, value, columns) if name in _SINGLE else _many(title, model, value, columns))
        if name == "decisions" and found.gate:
            panels.insert(-1, _gate(found))
    if found.seen is not None:
        panels += [
            _many(f"Seen: {name}", model, rows, columns)
            for name, model, columns in _SEEN
            if (rows := getattr(found.seen, name))
        ]
    if found.missing:
        panels.append(Panel("What is missing", [(capfirst(one.link.replace("_", " ")), one.why)
                                                for one in found.missing]))  # fmt: skip
    return panels


def _one(title: str, model: Model, row: Any, columns: Sequence[str]) -> Panel:
    rows = [
        (_heading(model, name).text, cell(model, name, row, whole=True))
        for name in columns
        if not is_empty(getattr(row, name))
    ]
    return Panel(title, rows, more=page_link(model, row.id, "Its page"))


def _many(title: str, model: Model, rows: Iterable[Any], columns: Sequence[str]) -> Panel:
    # What no row tells needs no column.
    told = [name for name in columns if any(not is_empty(getattr(row, name)) for row in rows)]
    return Panel(
        title,
        [
            [page_link(model, row.id, cell(model, told[0], row)), *(cell(model, name, row) for name in told[1:])]
            for row in rows
        ],
        headings=[_heading(model, name) for name in told],
    )


def _heading(model: Model, name: str) -> Heading:
    field: Any = model._meta.get_field(name)
    return Heading(capfirst(field.verbose_name), isinstance(field, models.DecimalField | models.FloatField))


def breaches_of(result: Any) -> list[tuple[str, ...]]:
    """Return rule, value, limit and severity of what the gate found; a note may hold anything in its place."""
    found = result.get("breaches") if isinstance(result, dict) else None
    told = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    return [tuple(str(one.get(name, "")) for name in ("rule", "value", "limit", "severity")) for one in told]


def _gate(found: Explanation) -> Panel:
    rows: list[Any] = []
    for row in found.decisions:
        at, result = shown(row.occurred_at), row.risk_check_result
        rows += [(at, *told) for told in breaches_of(result)]
        if isinstance(result, dict) and result.get("passed") is True:
            rows.append((at, "all checks passed", "", "", ""))
    return Panel("Risk gate", rows, headings=[Heading(text) for text in ("At", "Rule", "Found", "Limit", "Leads to")])


def _tool(row: Any) -> Any:
    trade = row.pk if isinstance(row, Trade) else row.trade_id
    return None if trade is None else explanation_link(trade)


register_tool(_tool, Trade, TradeIdea, Position)

"""The tables around decisions as PostgreSQL has them, against those below: columns, indexes, rules, references."""

from __future__ import annotations

import re

import pytest
from django.db import connection

FACT = "id uuid, digest bytea, recorded_seq bigint, producer uuid?, created_at timestamptz"
SERIES = (
    "id uuid, digest bytea, recorded_seq bigint, created_at timestamptz, snapshot_ref uuid?, captured_at timestamptz"
)
SEEN = "captured_at brin, captured_at, snapshot_ref"
MONEY, PRICE = "numeric(38,18)", "numeric(38,18)"
BAR = f"symbol varchar(100), timeframe varchar(8), open {PRICE}, high {PRICE}, low {PRICE}, close {PRICE}"
# By table: columns with "?" where they may be null; indexes, with their method unless it is btree and their condition;
# unique keys beside the primary one; rules by name; references as column → table.
TABLES = {
    "trading_engine_tradingpair": {
        "columns": "id bigint, symbol_1_id bigint, symbol_2_id bigint, cointegration_pvalue float8, half_life float8?, "
        "correlation float8, hedge_ratio float8, lookback_days integer, stability_score float8?, is_active boolean, "
        "created_at timestamptz, updated_at timestamptz",
        "indexes": "symbol_2_id; cointegration_pvalue; is_active; stability_score",
        "unique": "symbol_1_id symbol_2_id",
        "rules": "ck_pair_symbols ck_pair_pvalue ck_pair_correlation",
        "references": "symbol_1_id → trading_engine_symbol, symbol_2_id → trading_engine_symbol",
    },
    "trading_engine_backtestpair": {
        "columns": "id bigint, account_id uuid, backtest_id uuid, pair_id bigint",
        "indexes": "pair_id",
        "unique": "backtest_id pair_id",
        "references": "account_id → core_account, backtest_id → trading_engine_backtestrun, "
        "pair_id → trading_engine_tradingpair",
    },
    "trading_engine_candlesnapshot": {
        "columns": f"{SERIES}, {BAR}, volume numeric(38,18)?",
        "indexes": f"{SEEN}; symbol timeframe captured_at",
    },
    "trading_engine_indicatorsnapshot": {
        "columns": f"{SERIES}, symbol varchar(100), timeframe varchar(8), rsi_14 numeric(7,4)?, sma_50 {PRICE}?, "
        f"sma_200 {PRICE}?, macd {PRICE}?, atr {PRICE}?",
        "indexes": f"{SEEN}; symbol timeframe captured_at",
    },
    "trading_engine_calendarsnapshot": {
        "columns": f"{SERIES}, event_time timestamptz, currency varchar(10), impact_level varchar(10), "
        "title varchar(500), previous_value varchar(64)?, forecast_value varchar(64)?, actual_value varchar(64)?",
        "indexes": f"{SEEN}; currency event_time",
    },
    "trading_engine_newssnapshot": {
        "columns": f"{SERIES}, headline text, source varchar(255), symbols varchar(100)[], published_at timestamptz",
        "indexes": f"{SEEN}; published_at; symbols gin",
    },
    "trading_engine_predictionevent": {
        "columns": f"id bigint, event_id varchar(255), title text, slug varchar(500)?, liquidity {MONEY}?, "
        f"volume {MONEY}?, volume24hr {MONEY}?, starts_at timestamptz?, ends_at timestamptz?, days_until_end integer?, "
        "event_data jsonb, is_filtered boolean, told_at timestamptz?, created_at timestamptz, updated_at timestamptz",
        "indexes": "event_id; liquidity; volume; ends_at",
        "any_whole_number": "days_until_end",
        "unique": "event_id",
    },
    "trading_engine_predictionmarket": {
        "columns": f"id bigint, market_id varchar(255), question text, event_id varchar(255)?, event_title text, "
        f"event_ends_at timestamptz?, liquidity {MONEY}?, volume {MONEY}?, volume24hr {MONEY}?, yes_price {PRICE}?, "
        f"no_price {PRICE}?, market_conviction {PRICE}?, condition_id varchar(100), yes_token_id varchar(100), "
        "no_token_id varchar(100), resolved_outcome varchar(10), resolved_at timestamptz?, market_data jsonb, "
        "is_filtered boolean, told_at timestamptz?, created_at timestamptz, updated_at timestamptz",
        "indexes": "market_id; event_id; liquidity; volume; condition_id WHERE NOT condition_id = ''",
        "unique": "market_id",
    },
    "trading_engine_predictionmarketsnapshot": {
        "columns": "id uuid, digest bytea, recorded_seq bigint, created_at timestamptz, market_id varchar(255), "
        f"timestamp timestamptz, yes_price {PRICE}?, no_price {PRICE}?, liquidity {MONEY}?, volume {MONEY}?, "
        f"volume24hr {MONEY}?, market_conviction {PRICE}?",
        "indexes": "timestamp brin; market_id timestamp DESC",
    },
    "trading_engine_signalarchive": {
        "columns": f"{FACT}, account_id uuid, archived_at timestamptz, archive_month varchar(7), "
        "signals_count integer, signals_data jsonb",
        "indexes": "recorded_seq brin; archive_month; account_id archived_at DESC",
        "rules": "ck_signalarchive_month ck_signalarchive_count",
        "references": "account_id → core_account",
    },
    "portfolio_manager_strategy": {
        "columns": "id uuid, name varchar(255), is_active boolean, allowed_symbols varchar(100)[], "
        "session_windows jsonb, entry_conditions jsonb, exit_rules jsonb, forbidden_conditions jsonb, "
        "risk_caps jsonb, rr_expectation numeric(8,4)?, created_at timestamptz, updated_at timestamptz",
        "indexes": "is_active; name",  # the second for the beginnings of names, as Django makes it
        "unique": "name",
        "rules": "ck_strategy_named",
    },
    "portfolio_manager_riskconfig": {
        "columns": "id smallint, ai_trading_enabled boolean, min_confidence_threshold numeric(5,4), "
        "max_lot_size numeric(38,18), max_concurrent_trades integer, daily_profit_target numeric(38,18)?, "
        "stop_after_target boolean, max_drawdown_amount numeric(38,18)?, halt_on_drawdown boolean, "
        "allow_off_watchlist_autotrade boolean, last_halt_reason text, updated_at timestamptz, updated_by_id bigint?",
        "rules": "ck_riskconfig_single ck_riskconfig_target ck_riskconfig_drawdown",
        "references": "updated_by_id → core_user",
    },
    "portfolio_manager_tradeidea": {
        "columns": f"{FACT}, account_id uuid, symbol_id bigint, direction varchar(8), entry_price {PRICE}?, "
        f"entry_range jsonb?, stop_loss {PRICE}?, take_profit {PRICE}?, quantity numeric(38,18)?, "
        "expected_hold varchar(64), rationale text, confidence_score numeric(5,4), status varchar(16), "
        "strategy_id uuid?, snapshot_ref uuid?, order_id uuid?, trade_id uuid?, reviewed_by_id bigint?, "
        "reviewed_at timestamptz?, proposed_at timestamptz, updated_at timestamptz",
        "indexes": "recorded_seq brin; status; symbol_id created_at; account_id proposed_at DESC id DESC; strategy_id; "
        "snapshot_ref",
        "unique": "order_id; trade_id",
        "rules": "ck_idea_entry ck_idea_exits ck_idea_reviewed",
        "references": "account_id → core_account, symbol_id → trading_engine_symbol, "
        "strategy_id → portfolio_manager_strategy, order_id → trading_engine_order, trade_id → trading_engine_trade, "
        "reviewed_by_id → core_user",
    },
    "portfolio_manager_decisionhistory": {
        "columns": f"{FACT}, account_id uuid?, occurred_at timestamptz, symbol_id bigint?, action varchar(20), "
        "from_status varchar(16), to_status varchar(16), rationale text, confidence_score numeric(5,4)?, "
        "risk_check_result jsonb, strategy_id uuid?, trade_idea_id uuid?, snapshot_ref uuid?, "
        "human_override boolean, actor_id bigint?",
        "indexes": "recorded_seq brin; occurred_at; account_id occurred_at DESC id DESC; symbol_id occurred_at; "
        "action occurred_at; trade_idea_id; strategy_id; snapshot_ref",
        "rules": "ck_decision_account ck_decision_move",
        "references": "account_id → core_account, symbol_id → trading_engine_symbol, "
        "strategy_id → portfolio_manager_strategy, trade_idea_id → portfolio_manager_tradeidea, actor_id → core_user",
    },
    "portfolio_manager_ideaoutcome": {
        "columns": f"{FACT}, account_id uuid, trade_idea_id uuid, due_at timestamptz, evaluated_at timestamptz, "
        f"timeframe varchar(8), source varchar(50), price_after {PRICE}, price_after_at timestamptz, reached boolean, "
        f"entry_price {PRICE}?, entered_at timestamptz?, exit_price {PRICE}?, exited_at timestamptz?, "
        f"exit_reason varchar(12), pnl_per_unit {MONEY}?, pnl {MONEY}?",
        "indexes": "recorded_seq brin; account_id due_at DESC id DESC",
        "unique": "trade_idea_id",
        "rules": "ck_outcome_reached",
        "references": "account_id → core_account, trade_idea_id → portfolio_manager_tradeidea",
    },
    "portfolio_manager_accountsnapshot": {
        "columns": f"{SERIES}, account_id uuid, balance {MONEY}, equity {MONEY}, margin_used {MONEY}?, "
        f"margin_free {MONEY}?, open_pl {MONEY}?, open_positions integer",
        "indexes": f"{SEEN}; account_id captured_at",
        "references": "account_id → core_account",
    },
    "portfolio_manager_portfoliosnapshot": {
        "columns": f"id uuid, account_id uuid, kind varchar(16), timestamp timestamptz, snapshot_date date?, "
        f"balance {MONEY}?, total_invested {MONEY}?, total_profit_loss {MONEY}?, total_value {MONEY}?, "
        f"open_positions integer?, trade_count integer?, realized_pnl {MONEY}?, total_unrealized_pnl {MONEY}?, "
        f"total_margin {MONEY}?, total_commission {MONEY}?, source varchar(50), created_at timestamptz",
        "indexes": "timestamp DESC; snapshot_date DESC; "
        "account_id realized_pnl + total_unrealized_pnl - total_commission DESC WHERE source = ''",
        "unique": "account_id kind timestamp; account_id snapshot_date WHERE kind = 'DAILY'",
        "rules": "ck_snapshot_figures ck_snapshot_daily",
        "references": "account_id → core_account",
    },
    "portfolio_manager_profitpeak": {
        "columns": f"account_id uuid, until timestamptz, booked_seq bigint, profit {MONEY}, highest {MONEY}, "
        "updated_at timestamptz",
        "rules": "ck_peak_height",
        "references": "account_id → core_account",
    },
    "portfolio_manager_tradingjournal": {
        "columns": "id bigint, user_id bigint, account_id uuid?, entered_at timestamptz, title varchar(255), "
        "content text, position_id uuid?, trade_id uuid?, tags varchar(255)",
        "indexes": "user_id entered_at DESC; position_id WHERE position_id IS NOT NULL; "
        "trade_id WHERE trade_id IS NOT NULL",
        "references": "user_id → core_user, account_id → core_account, trade_id → trading_engine_trade",
    },
}
TYPES = {
    "timestamp with time zone": "timestamptz", "double precision": "float8", "character varying": "varchar",
}  # fmt: skip
COLUMNS = """
    SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute
    WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped
"""
INDEXES = """
    SELECT pg_get_indexdef(indexrelid), indisunique FROM pg_index WHERE indrelid = %s::regclass AND NOT indisprimary
"""
REFERENCES = """
    SELECT a.attname, c.confrelid::regclass::text, c.confdeltype FROM pg_constraint c
    JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY(c.conkey)
    WHERE c.conrelid = %s::regclass AND c.contype = 'f'
"""
RULES = (
    "SELECT conname, pg_get_expr(conbin, conrelid) FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'c'"
)


def ask(question: str, table: str) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(question, [table])
        return cursor.fetchall()


def listed(text: str, separator: str) -> set[str]:
    return {part.strip() for part in text.split(separator) if part.strip()}


def column(name: str, kind: str, required: bool) -> str:
    for long, short in TYPES.items():
        kind = kind.replace(long, short)
    return f"{name} {kind}{'' if required else '?'}"


def index(definition: str) -> str:
    """An index as the table above writes it."""
    method, columns, _, condition = re.search(
        r"USING (\w+) \((.*?)\)( WITH .*?)?(?: WHERE \((.*)\))?$", definition
    ).groups()  # fmt: skip
    names = re.sub(r"varchar_pattern_ops|[\",()]", "", columns).strip()
    condition = "" if condition is None else " WHERE " + re.sub(r"::\w+|[()]", "", condition)
    return f"{names}{'' if method == 'btree' else ' ' + method}{condition}"


@pytest.mark.parametrize("table", TABLES)
class TestTable:
    def test_has_these_columns_and_no_others(self, table) -> None:
        assert {column(*row) for row in ask(COLUMNS, table)} == listed_columns(TABLES[table]["columns"])

    def test_has_these_indexes_and_keys_and_no_others(self, table) -> None:
        wanted = listed(TABLES[table].get("indexes", "").replace(SEEN, SEEN.replace(",", ";")), ";")
        found = ask(INDEXES, table)

        assert {index(definition) for definition, unique in found if not unique} == wanted
        assert {index(definition) for definition, unique in found if unique} == listed(
            TABLES[table].get("unique", ""), ";"
        )

    def test_has_these_rules_and_a_bound_on_every_number(self, table) -> None:
        rules = dict(ask(RULES, table))
        named = {name for name in rules if name.startswith("ck_")}
        numbers = {
            name
            for name, kind, _ in ask(COLUMNS, table)
            if kind.startswith(("numeric", "double")) or (kind == "integer")
        } - set(TABLES[table].get("any_whole_number", "").split())

        assert named == set(TABLES[table].get("rules", "").split())
        bounded = {name for name in numbers if any(re.search(rf"\b{name}\b", text) for text in rules.values())}
        assert bounded == numbers

    def test_refers_to_these_rows_and_keeps_them(self, table) -> None:
        found = ask(REFERENCES, table)

        assert {f"{name} → {other}" for name, other, _ in found} == listed(TABLES[table].get("references", ""), ",")
        # NO ACTION: what is referred to cannot be deleted; Django's own SET NULL and CASCADE come before it.
        assert {action for _, _, action in found} <= {"a"}


def listed_columns(text: str) -> set[str]:
    """Columns, whose types may hold commas."""
    return {part.strip() for part in re.split(r",(?![^(]*\))", text)}

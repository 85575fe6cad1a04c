-- The roles of Friren, and what each may do. `manage.py setup_database --sql` prints this; `--roles` does it.
-- Run by a superuser in Friren's database, after `manage.py migrate`. Later migrations renew the rights by themselves.
-- No password is in it: `\password friren_migrator` in psql sets one, and `ALTER ROLE friren_migrator LOGIN` lets it sign in.

BEGIN;

-- friren_owner: owns the database and all that is in it; nobody signs in as it.
DO $$ BEGIN IF to_regrole('friren_owner') IS NULL THEN CREATE ROLE "friren_owner" NOLOGIN CREATEDB; END IF; END $$;
GRANT "pg_signal_backend" TO "friren_owner";
GRANT "pg_read_all_stats" TO "friren_owner";
COMMENT ON ROLE "friren_owner" IS 'owns the database and all that is in it; nobody signs in as it';

-- friren_migrator: migrates, restores and archives; what it makes is the owner's.
DO $$ BEGIN IF to_regrole('friren_migrator') IS NULL THEN CREATE ROLE "friren_migrator" NOLOGIN; END IF; END $$;
GRANT "friren_owner" TO "friren_migrator";
ALTER ROLE "friren_migrator" SET role = 'friren_owner';
ALTER ROLE "friren_migrator" SET search_path = 'public';
COMMENT ON ROLE "friren_migrator" IS 'migrates, restores and archives; what it makes is the owner''s';

-- friren_app_writer: bots: adds facts and keeps books, changes nothing that was stored.
DO $$ BEGIN IF to_regrole('friren_app_writer') IS NULL THEN CREATE ROLE "friren_app_writer" NOLOGIN; END IF; END $$;
ALTER ROLE "friren_app_writer" SET search_path = 'public';
ALTER ROLE "friren_app_writer" SET idle_in_transaction_session_timeout = '60s';
COMMENT ON ROLE "friren_app_writer" IS 'bots: adds facts and keeps books, changes nothing that was stored';

-- friren_app_web: the admin: what a bot does, people, sessions and what they keep up.
DO $$ BEGIN IF to_regrole('friren_app_web') IS NULL THEN CREATE ROLE "friren_app_web" NOLOGIN; END IF; END $$;
ALTER ROLE "friren_app_web" SET search_path = 'public';
ALTER ROLE "friren_app_web" SET idle_in_transaction_session_timeout = '60s';
COMMENT ON ROLE "friren_app_web" IS 'the admin: what a bot does, people, sessions and what they keep up';

-- friren_app_ro: people and reports: reads, and gives way.
DO $$ BEGIN IF to_regrole('friren_app_ro') IS NULL THEN CREATE ROLE "friren_app_ro" NOLOGIN; END IF; END $$;
ALTER ROLE "friren_app_ro" SET default_transaction_read_only = 'on';
ALTER ROLE "friren_app_ro" SET statement_timeout = '30s';
ALTER ROLE "friren_app_ro" SET search_path = 'public';
ALTER ROLE "friren_app_ro" SET idle_in_transaction_session_timeout = '60s';
ALTER ROLE "friren_app_ro" CONNECTION LIMIT 20;
COMMENT ON ROLE "friren_app_ro" IS 'people and reports: reads, and gives way';

-- friren_backup: pg_dump and pg_basebackup: reads everything, notes its backups.
DO $$ BEGIN IF to_regrole('friren_backup') IS NULL THEN CREATE ROLE "friren_backup" NOLOGIN; END IF; END $$;
ALTER ROLE "friren_backup" REPLICATION;
GRANT "pg_read_all_data" TO "friren_backup";
ALTER ROLE "friren_backup" SET search_path = 'public';
ALTER ROLE "friren_backup" CONNECTION LIMIT 5;
COMMENT ON ROLE "friren_backup" IS 'pg_dump and pg_basebackup: reads everything, notes its backups';

-- friren_monitor: health and metrics: reads, and keeps samples of figures.
DO $$ BEGIN IF to_regrole('friren_monitor') IS NULL THEN CREATE ROLE "friren_monitor" NOLOGIN; END IF; END $$;
GRANT "pg_monitor" TO "friren_monitor";
ALTER ROLE "friren_monitor" SET statement_timeout = '10s';
ALTER ROLE "friren_monitor" SET search_path = 'public';
ALTER ROLE "friren_monitor" SET idle_in_transaction_session_timeout = '60s';
ALTER ROLE "friren_monitor" CONNECTION LIMIT 5;
COMMENT ON ROLE "friren_monitor" IS 'health and metrics: reads, and keeps samples of figures';

-- What a new database gives to everybody; and whose the tables are.
DO $$
DECLARE
    new_owner name := 'friren_owner';
    found record;
BEGIN
    IF (SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()) <> new_owner THEN
        EXECUTE format('ALTER DATABASE %I OWNER TO %I', current_database(), new_owner);
    END IF;
    FOR found IN
        SELECT 'SCHEMA' AS kind, quote_ident(nspname) AS name FROM pg_namespace
            WHERE nspname = 'archive' AND pg_get_userbyid(nspowner) <> new_owner
        UNION ALL
        SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
            ELSE 'TABLE' END, c.oid::regclass::text
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname IN ('public', 'archive') AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
            AND pg_get_userbyid(c.relowner) <> new_owner
            AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                AND d.deptype IN ('e', 'a', 'i') AND (c.relkind = 'S' OR d.deptype = 'e'))
        UNION ALL
        SELECT CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, p.oid::regprocedure::text
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname IN ('public', 'archive') AND p.prokind IN ('f', 'p')
            AND pg_get_userbyid(p.proowner) <> new_owner
            AND NOT EXISTS (SELECT FROM pg_depend d
                WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
        UNION ALL
        SELECT 'TYPE', t.oid::regtype::text
        FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
        WHERE n.nspname IN ('public', 'archive')
            AND (t.typtype IN ('e', 'd', 'r')
                OR EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))
            AND pg_get_userbyid(t.typowner) <> new_owner
            AND NOT EXISTS (SELECT FROM pg_depend d
                WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e')
    LOOP
        EXECUTE format('ALTER %s %s OWNER TO %I', found.kind, found.name, new_owner);
    END LOOP;
END
$$;

DO $$
DECLARE
    keeper regrole := (SELECT relowner FROM pg_class WHERE oid = 'public.core_account'::regclass);
    found record;
BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    REVOKE ALL ON SCHEMA public FROM PUBLIC;
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %s REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC', keeper);
    FOR found IN
        SELECT p.oid::regprocedure AS name FROM pg_proc p
        WHERE p.pronamespace = 'public'::regnamespace AND p.prokind = 'f' AND NOT EXISTS (SELECT FROM pg_depend d
            WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', found.name);
    END LOOP;
END
$$;

-- friren_app_writer: its rights, and no other.
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM "friren_app_writer";
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM "friren_app_writer";
REVOKE CREATE ON SCHEMA public FROM "friren_app_writer";
GRANT USAGE ON SCHEMA public TO "friren_app_writer";
GRANT USAGE, SELECT ON SEQUENCE friren_recorded_seq TO "friren_app_writer";
GRANT UPDATE ("timezone", "is_active", "closed_until", "created_at") ON "core_account" TO "friren_app_writer";
GRANT INSERT ("id", "digest", "producer", "account_id", "occurred_at", "actor_id", "actor_label", "action", "model_label", "object_pk", "before", "after", "source", "db_user", "remote_addr") ON "core_auditlog" TO "friren_app_writer";
GRANT SELECT ("last_login", "is_superuser", "username", "first_name", "last_name", "email", "is_staff", "is_active", "date_joined", "id", "uuid", "default_position_size", "risk_tolerance", "notification_preferences", "created_at", "updated_at") ON "core_user" TO "friren_app_writer";
GRANT INSERT ("id", "digest", "snapshot_ref", "captured_at", "account_id", "balance", "equity", "margin_used", "margin_free", "open_pl", "open_positions") ON "portfolio_manager_accountsnapshot" TO "friren_app_writer";
GRANT INSERT ("id", "digest", "producer", "account_id", "kind", "currency", "amount", "occurred_at", "received_at", "symbol_id", "counter_account_id", "venue", "external_id", "corrects_id", "reason", "extra") ON "portfolio_manager_cashmovement" TO "friren_app_writer";
GRANT INSERT ("id", "digest", "producer", "account_id", "symbol_id", "kind", "ratio", "amount", "currency", "effective_at", "received_at", "source") ON "portfolio_manager_corporateaction" TO "friren_app_writer";
GRANT INSERT ("id", "digest", "producer", "account_id", "occurred_at", "symbol_id", "action", "from_status", "to_status", "rationale", "confidence_score", "risk_check_result", "strategy_id", "trade_idea_id", "snapshot_ref", "human_override", "actor_id") ON "portfolio_manager_decisionhistory" TO "friren_app_writer";
GRANT INSERT ("id", "digest", "producer", "account_id", "trade_idea_id", "due_at", "evaluated_at", "timeframe", "source", "price_after", "price_after_at", "reached", "entry_price", "entered_at", "exit_price", "exited_at", "exit_reason", "pnl_per_unit", "pnl") ON "portfolio_manager_ideaoutcome" TO "friren_app_writer";
GRANT INSERT ("id", "digest", "producer", "account_id", "market_id", "outcome", "yes_payout", "resolved_at", "received_at", "source") ON "portfolio_manager_marketresolution" TO "friren_app_writer";
GRANT INSERT ("id", "digest", "producer", "account_id", "closes_at", "cash", "balances", "positions", "trade_count", "facts_digest", "closed_by_id") ON "portfolio_manager_periodcheckpoint" TO "friren_app_writer";
GRANT INSERT ("id", "digest", "producer", "account_id", "run_id", "kind", "statement", "venue", "external_id", "trade_id", "field", "ours", "theirs", "payload", "found_at", "resolution", "resolved_at", "resolved_by_id", "note") ON "portfolio_manager_reconciliationbreak" TO "friren_app_writer";
GRANT UPDATE ("resolution", "resolved_at", "resolved_by_id", "trade_id", "note") ON "portfolio_manager_reconciliationbreak" TO "friren_app_writer";
GRANT UPDATE ("ai_trading_enabled", "last_halt_reason", "updated_at", "updated_by_id") ON "portfolio_manager_riskconfig" TO "friren_app_writer";
GRANT INSERT ("id", "digest", "producer", "account_id", "symbol_id", "direction", "entry_price", "entry_range", "stop_loss", "take_profit", "quantity", "expected_hold", "rationale", "confidence_score", "status", "strategy_id", "snapshot_ref", "order_id", "trade_id", "reviewed_by_id", "reviewed_at", "proposed_at", "updated_at") ON "portfolio_manager_tradeidea" TO "friren_app_writer";
GRANT UPDATE ("status", "reviewed_by_id", "reviewed_at", "order_id", "trade_id", "updated_at") ON "portfolio_manager_tradeidea" TO "friren_app_writer";
GRANT UPDATE ("position_id") ON "portfolio_manager_tradingjournal" TO "friren_app_writer";
GRANT INSERT ("id", "digest", "snapshot_ref", "captured_at", "event_time", "currency", "impact_level", "title", "previous_value", "forecast_value", "actual_value") ON "trading_engine_calendarsnapshot" TO "friren_app_writer";
GRANT INSERT ("id", "digest", "snapshot_ref", "captured_at", "symbol", "timeframe", "open", "high", "low", "close", "volume") ON "trading_engine_candlesnapshot" TO "friren_app_writer";
GRANT INSERT ("id", "digest", "snapshot_ref", "captured_at", "symbol", "timeframe", "rsi_14", "sma_50", "sma_200", "macd", "atr") ON "trading_engine_indicatorsnapshot" TO "friren_app_writer";
GRANT INSERT ("id", "digest", "producer", "model_id", "model_version", "timestamp", "accuracy_score", "total_trades", "profitable_trades", "features_used", "shap_summary") ON "trading_engine_modelperformance" TO "friren_app_writer";
GRANT INSERT ("id", "digest", "producer", "timestamp", "model_id", "model_version", "symbol_id", "predicted", "confidence", "features", "due_at", "actual", "is_correct", "resolved_at") ON "trading_engine_modelprediction" TO "friren_app_writer";
GRANT UPDATE ("actual", "is_correct", "resolved_at") ON "trading_engine_modelprediction" TO "friren_app_writer";
GRANT INSERT ("id", "digest", "snapshot_ref", "captured_at", "headline", "source", "symbols", "published_at") ON "trading_engine_newssnapshot" TO "friren_app_writer";
GRANT INSERT ("id", "digest", "producer", "account_id", "symbol_id", "market_id", "pair_id", "signal_id", "action", "type", "time_in_force", "quantity", "limit_price", "stop_price", "stop_loss_price", "target_price", "leverage", "strategy_used", "round_trip", "reasoning", "requested_at", "submitted_at", "expires_at", "venue", "external_id", "status", "tags", "extra") ON "trading_engine_order" TO "friren_app_writer";
GRANT UPDATE ("status", "venue", "external_id", "submitted_at") ON "trading_engine_order" TO "friren_app_writer";
GRANT INSERT ("id", "digest", "producer", "account_id", "occurred_at", "reason", "changed_by_id", "payload", "order_id", "from_status", "to_status") ON "trading_engine_orderstatusevent" TO "friren_app_writer";
GRANT INSERT ("id", "digest", "market_id", "timestamp", "yes_price", "no_price", "liquidity", "volume", "volume24hr", "market_conviction") ON "trading_engine_predictionmarketsnapshot" TO "friren_app_writer";
GRANT INSERT ("id", "digest", "symbol_id", "timestamp", "timeframe", "open", "high", "low", "close", "volume", "adjusted_close", "source", "is_suspect") ON "trading_engine_price" TO "friren_app_writer";
GRANT UPDATE ("digest", "symbol_id", "timestamp", "timeframe", "open", "high", "low", "close", "volume", "adjusted_close", "source", "is_suspect") ON "trading_engine_price" TO "friren_app_writer";
GRANT INSERT ("id", "digest", "producer", "price_id", "symbol_id", "timestamp", "timeframe", "source", "open", "high", "low", "close", "volume", "adjusted_close", "revised_at", "reason") ON "trading_engine_pricerevision" TO "friren_app_writer";
GRANT INSERT ("id", "digest", "producer", "account_id", "timestamp", "detector", "symbol_id", "regime_type", "previous_regime_type", "confidence_score", "indicators_used", "transition_reason", "vix_average", "volatility_score", "macro_score", "market_regime_id") ON "trading_engine_regimehistory" TO "friren_app_writer";
GRANT INSERT ("id", "digest", "producer", "timestamp", "symbol_id", "news_source", "headline", "sentiment_score", "confidence", "finbert_scores", "model_id", "extra") ON "trading_engine_sentimentdata" TO "friren_app_writer";
GRANT INSERT ("id", "digest", "producer", "account_id", "kind", "timestamp", "symbol_id", "pair_id", "market_id", "market_question", "strategy_name", "signal_type", "z_score", "spread_value", "target_price", "amount", "yes_price", "no_price", "market_liquidity", "market_volume", "event_id", "event_title", "event_ends_at", "confidence_score", "reasoning", "regime_id", "processed", "processed_at", "executed", "executed_at", "trade_id", "batch_id", "extra") ON "trading_engine_signal" TO "friren_app_writer";
GRANT UPDATE ("processed", "processed_at", "executed", "executed_at", "trade_id") ON "trading_engine_signal" TO "friren_app_writer";
GRANT INSERT ("id", "digest", "producer", "account_id", "archived_at", "archive_month", "signals_count", "signals_data") ON "trading_engine_signalarchive" TO "friren_app_writer";
GRANT UPDATE ("id", "name", "sector", "exchange", "asset_type", "tick_size", "lot_size", "expires_at", "is_active", "created_at", "updated_at") ON "trading_engine_symbol" TO "friren_app_writer";
GRANT INSERT ("id", "digest", "producer", "account_id", "order_id", "instrument_type", "symbol_id", "market_id", "pair_id", "action", "quantity", "price", "amount", "executed_at", "received_at", "commission", "commission_currency", "venue", "external_id", "liquidity", "expected_price", "stop_loss_price", "target_price", "leverage", "exit_reason", "tags", "extra", "round_trip", "corrects_id", "source_pnl", "strategy_used", "model_id", "regime_at_entry", "sentiment_score", "confidence_score", "reasoning", "shap_values", "market_question", "event_id", "event_title", "event_ends_at", "status") ON "trading_engine_trade" TO "friren_app_writer";
GRANT UPDATE ("status", "venue", "external_id") ON "trading_engine_trade" TO "friren_app_writer";
GRANT INSERT ("id", "digest", "producer", "account_id", "occurred_at", "reason", "changed_by_id", "payload", "trade_id", "from_status", "to_status") ON "trading_engine_tradestatusevent" TO "friren_app_writer";
GRANT UPDATE ("id", "cointegration_pvalue", "half_life", "correlation", "hedge_ratio", "lookback_days", "stability_score", "is_active", "created_at", "updated_at") ON "trading_engine_tradingpair" TO "friren_app_writer";
GRANT SELECT ON "core_account", "core_auditlog", "core_systemmetadata", "core_user_groups", "core_user_user_permissions", "django_migrations", "jobs_scheduledrun", "operations_archiverun" TO "friren_app_writer";
GRANT SELECT ON "operations_auditblock", "operations_backuprecord", "operations_metricsample", "persistence_deadletter", "persistence_journalcursor", "persistence_lossrecord", "portfolio_manager_accountsnapshot", "portfolio_manager_accountstate" TO "friren_app_writer";
GRANT SELECT ON "portfolio_manager_cashmovement", "portfolio_manager_corporateaction", "portfolio_manager_decisionhistory", "portfolio_manager_ideaoutcome", "portfolio_manager_ledgerentry", "portfolio_manager_marketresolution", "portfolio_manager_periodcheckpoint", "portfolio_manager_portfoliosnapshot" TO "friren_app_writer";
GRANT SELECT ON "portfolio_manager_position", "portfolio_manager_positionfill", "portfolio_manager_profitpeak", "portfolio_manager_reconciliationbreak", "portfolio_manager_riskconfig", "portfolio_manager_riskmetrics", "portfolio_manager_strategy", "portfolio_manager_tradeidea" TO "friren_app_writer";
GRANT SELECT ON "portfolio_manager_tradingjournal", "trading_engine_backtestpair", "trading_engine_backtestresult", "trading_engine_backtestrun", "trading_engine_calendarsnapshot", "trading_engine_candlesnapshot", "trading_engine_indicatorsnapshot", "trading_engine_marketregime" TO "friren_app_writer";
GRANT SELECT ON "trading_engine_modelperformance", "trading_engine_modelprediction", "trading_engine_newssnapshot", "trading_engine_order", "trading_engine_orderstatusevent", "trading_engine_predictionevent", "trading_engine_predictionmarket", "trading_engine_predictionmarketsnapshot" TO "friren_app_writer";
GRANT SELECT ON "trading_engine_price", "trading_engine_pricerevision", "trading_engine_regimehistory", "trading_engine_sentimentdata", "trading_engine_signal", "trading_engine_signalarchive", "trading_engine_symbol", "trading_engine_trade" TO "friren_app_writer";
GRANT SELECT ON "trading_engine_tradesentiment", "trading_engine_tradestatusevent", "trading_engine_tradingpair" TO "friren_app_writer";
GRANT INSERT ON "core_account", "core_systemmetadata", "persistence_deadletter", "persistence_journalcursor", "persistence_lossrecord", "portfolio_manager_accountstate", "portfolio_manager_ledgerentry", "portfolio_manager_portfoliosnapshot" TO "friren_app_writer";
GRANT INSERT ON "portfolio_manager_position", "portfolio_manager_positionfill", "portfolio_manager_profitpeak", "portfolio_manager_riskmetrics", "trading_engine_backtestpair", "trading_engine_backtestresult", "trading_engine_backtestrun", "trading_engine_marketregime" TO "friren_app_writer";
GRANT INSERT ON "trading_engine_predictionevent", "trading_engine_predictionmarket", "trading_engine_symbol", "trading_engine_tradesentiment", "trading_engine_tradingpair" TO "friren_app_writer";
GRANT UPDATE ON "core_systemmetadata", "persistence_deadletter", "persistence_journalcursor", "portfolio_manager_accountstate", "portfolio_manager_ledgerentry", "portfolio_manager_portfoliosnapshot", "portfolio_manager_position", "portfolio_manager_positionfill" TO "friren_app_writer";
GRANT UPDATE ON "portfolio_manager_profitpeak", "portfolio_manager_riskmetrics", "trading_engine_backtestpair", "trading_engine_backtestresult", "trading_engine_backtestrun", "trading_engine_marketregime", "trading_engine_predictionevent", "trading_engine_predictionmarket" TO "friren_app_writer";
GRANT DELETE ON "core_systemmetadata", "persistence_deadletter", "persistence_journalcursor", "portfolio_manager_accountstate", "portfolio_manager_ledgerentry", "portfolio_manager_portfoliosnapshot", "portfolio_manager_position", "portfolio_manager_positionfill" TO "friren_app_writer";
GRANT DELETE ON "portfolio_manager_profitpeak", "portfolio_manager_riskmetrics", "trading_engine_backtestpair", "trading_engine_backtestresult", "trading_engine_backtestrun", "trading_engine_marketregime", "trading_engine_predictionevent", "trading_engine_predictionmarket" TO "friren_app_writer";
DO $$
DECLARE
    somebody name := 'friren_app_writer';
    keeper regrole := (SELECT relowner FROM pg_class WHERE oid = 'public.core_account'::regclass);
    found record;
BEGIN
    IF NOT has_database_privilege(somebody, current_database(), 'CONNECT') THEN
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), somebody);
    END IF;
    EXECUTE format(
        'ALTER DEFAULT PRIVILEGES FOR ROLE %s IN SCHEMA public GRANT SELECT ON TABLES TO %I', keeper, somebody
    );
    FOR found IN
        SELECT c.oid::regclass AS name FROM pg_class c
        WHERE c.relispartition AND c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
    LOOP
        EXECUTE format('GRANT SELECT ON TABLE %s TO %I', found.name, somebody);
    END LOOP;
    IF to_regnamespace('archive') IS NOT NULL THEN
        EXECUTE format('GRANT USAGE ON SCHEMA archive TO %I', somebody);
        EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA archive TO %I', somebody);
        EXECUTE format(
            'ALTER DEFAULT PRIVILEGES FOR ROLE %s IN SCHEMA archive GRANT SELECT ON TABLES TO %I', keeper, somebody
        );
    END IF;
    IF true THEN
        -- A batch that is refused is looked through in a temporary table.
        IF NOT has_database_privilege(somebody, current_database(), 'TEMPORARY') THEN
            EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO %I', current_database(), somebody);
        END IF;
        -- A function that works with the caller's rights adds none.
        FOR found IN
            SELECT p.oid::regprocedure AS name FROM pg_proc p
            WHERE p.pronamespace = 'public'::regnamespace AND p.prokind = 'f'
                AND (NOT p.prosecdef OR p.oid = ANY (ARRAY['friren_create_month(text, date)']::regprocedure[]))
                AND NOT EXISTS (SELECT FROM pg_depend d
                    WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
        LOOP
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', found.name, somebody);
        END LOOP;
    END IF;
END
$$;

-- friren_app_web: its rights, and no other.
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM "friren_app_web";
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM "friren_app_web";
REVOKE CREATE ON SCHEMA public FROM "friren_app_web";
GRANT USAGE ON SCHEMA public TO "friren_app_web";
GRANT USAGE, SELECT ON SEQUENCE friren_recorded_seq TO "friren_app_web";
GRANT INSERT ("id", "digest", "producer", "account_id", "occurred_at", "actor_id", "actor_label", "action", "model_label", "object_pk", "before", "after", "source", "db_user", "remote_addr") ON "core_auditlog" TO "friren_app_web";
GRANT INSERT ("id", "digest", "snapshot_ref", "captured_at", "account_id", "balance", "equity", "margin_used", "margin_free", "open_pl", "open_positions") ON "portfolio_manager_accountsnapshot" TO "friren_app_web";
GRANT INSERT ("id", "digest", "producer", "account_id", "kind", "currency", "amount", "occurred_at", "received_at", "symbol_id", "counter_account_id", "venue", "external_id", "corrects_id", "reason", "extra") ON "portfolio_manager_cashmovement" TO "friren_app_web";
GRANT INSERT ("id", "digest", "producer", "account_id", "symbol_id", "kind", "ratio", "amount", "currency", "effective_at", "received_at", "source") ON "portfolio_manager_corporateaction" TO "friren_app_web";
GRANT INSERT ("id", "digest", "producer", "account_id", "occurred_at", "symbol_id", "action", "from_status", "to_status", "rationale", "confidence_score", "risk_check_result", "strategy_id", "trade_idea_id", "snapshot_ref", "human_override", "actor_id") ON "portfolio_manager_decisionhistory" TO "friren_app_web";
GRANT INSERT ("id", "digest", "producer", "account_id", "trade_idea_id", "due_at", "evaluated_at", "timeframe", "source", "price_after", "price_after_at", "reached", "entry_price", "entered_at", "exit_price", "exited_at", "exit_reason", "pnl_per_unit", "pnl") ON "portfolio_manager_ideaoutcome" TO "friren_app_web";
GRANT INSERT ("id", "digest", "producer", "account_id", "market_id", "outcome", "yes_payout", "resolved_at", "received_at", "source") ON "portfolio_manager_marketresolution" TO "friren_app_web";
GRANT INSERT ("id", "digest", "producer", "account_id", "closes_at", "cash", "balances", "positions", "trade_count", "facts_digest", "closed_by_id") ON "portfolio_manager_periodcheckpoint" TO "friren_app_web";
GRANT INSERT ("id", "digest", "producer", "account_id", "run_id", "kind", "statement", "venue", "external_id", "trade_id", "field", "ours", "theirs", "payload", "found_at", "resolution", "resolved_at", "resolved_by_id", "note") ON "portfolio_manager_reconciliationbreak" TO "friren_app_web";
GRANT UPDATE ("resolution", "resolved_at", "resolved_by_id", "trade_id", "note") ON "portfolio_manager_reconciliationbreak" TO "friren_app_web";
GRANT INSERT ("id", "digest", "producer", "account_id", "symbol_id", "direction", "entry_price", "entry_range", "stop_loss", "take_profit", "quantity", "expected_hold", "rationale", "confidence_score", "status", "strategy_id", "snapshot_ref", "order_id", "trade_id", "reviewed_by_id", "reviewed_at", "proposed_at", "updated_at") ON "portfolio_manager_tradeidea" TO "friren_app_web";
GRANT UPDATE ("status", "reviewed_by_id", "reviewed_at", "order_id", "trade_id", "updated_at") ON "portfolio_manager_tradeidea" TO "friren_app_web";
GRANT INSERT ("id", "digest", "snapshot_ref", "captured_at", "event_time", "currency", "impact_level", "title", "previous_value", "forecast_value", "actual_value") ON "trading_engine_calendarsnapshot" TO "friren_app_web";
GRANT INSERT ("id", "digest", "snapshot_ref", "captured_at", "symbol", "timeframe", "open", "high", "low", "close", "volume") ON "trading_engine_candlesnapshot" TO "friren_app_web";
GRANT INSERT ("id", "digest", "snapshot_ref", "captured_at", "symbol", "timeframe", "rsi_14", "sma_50", "sma_200", "macd", "atr") ON "trading_engine_indicatorsnapshot" TO "friren_app_web";
GRANT INSERT ("id", "digest", "producer", "model_id", "model_version", "timestamp", "accuracy_score", "total_trades", "profitable_trades", "features_used", "shap_summary") ON "trading_engine_modelperformance" TO "friren_app_web";
GRANT INSERT ("id", "digest", "producer", "timestamp", "model_id", "model_version", "symbol_id", "predicted", "confidence", "features", "due_at", "actual", "is_correct", "resolved_at") ON "trading_engine_modelprediction" TO "friren_app_web";
GRANT UPDATE ("actual", "is_correct", "resolved_at") ON "trading_engine_modelprediction" TO "friren_app_web";
GRANT INSERT ("id", "digest", "snapshot_ref", "captured_at", "headline", "source", "symbols", "published_at") ON "trading_engine_newssnapshot" TO "friren_app_web";
GRANT INSERT ("id", "digest", "producer", "account_id", "symbol_id", "market_id", "pair_id", "signal_id", "action", "type", "time_in_force", "quantity", "limit_price", "stop_price", "stop_loss_price", "target_price", "leverage", "strategy_used", "round_trip", "reasoning", "requested_at", "submitted_at", "expires_at", "venue", "external_id", "status", "tags", "extra") ON "trading_engine_order" TO "friren_app_web";
GRANT UPDATE ("status", "venue", "external_id", "submitted_at") ON "trading_engine_order" TO "friren_app_web";
GRANT INSERT ("id", "digest", "producer", "account_id", "occurred_at", "reason", "changed_by_id", "payload", "order_id", "from_status", "to_status") ON "trading_engine_orderstatusevent" TO "friren_app_web";
GRANT INSERT ("id", "digest", "market_id", "timestamp", "yes_price", "no_price", "liquidity", "volume", "volume24hr", "market_conviction") ON "trading_engine_predictionmarketsnapshot" TO "friren_app_web";
GRANT INSERT ("id", "digest", "symbol_id", "timestamp", "timeframe", "open", "high", "low", "close", "volume", "adjusted_close", "source", "is_suspect") ON "trading_engine_price" TO "friren_app_web";
GRANT UPDATE ("digest", "symbol_id", "timestamp", "timeframe", "open", "high", "low", "close", "volume", "adjusted_close", "source", "is_suspect") ON "trading_engine_price" TO "friren_app_web";
GRANT INSERT ("id", "digest", "producer", "price_id", "symbol_id", "timestamp", "timeframe", "source", "open", "high", "low", "close", "volume", "adjusted_close", "revised_at", "reason") ON "trading_engine_pricerevision" TO "friren_app_web";
GRANT INSERT ("id", "digest", "producer", "account_id", "timestamp", "detector", "symbol_id", "regime_type", "previous_regime_type", "confidence_score", "indicators_used", "transition_reason", "vix_average", "volatility_score", "macro_score", "market_regime_id") ON "trading_engine_regimehistory" TO "friren_app_web";
GRANT INSERT ("id", "digest", "producer", "timestamp", "symbol_id", "news_source", "headline", "sentiment_score", "confidence", "finbert_scores", "model_id", "extra") ON "trading_engine_sentimentdata" TO "friren_app_web";
GRANT INSERT ("id", "digest", "producer", "account_id", "kind", "timestamp", "symbol_id", "pair_id", "market_id", "market_question", "strategy_name", "signal_type", "z_score", "spread_value", "target_price", "amount", "yes_price", "no_price", "market_liquidity", "market_volume", "event_id", "event_title", "event_ends_at", "confidence_score", "reasoning", "regime_id", "processed", "processed_at", "executed", "executed_at", "trade_id", "batch_id", "extra") ON "trading_engine_signal" TO "friren_app_web";
GRANT UPDATE ("processed", "processed_at", "executed", "executed_at", "trade_id") ON "trading_engine_signal" TO "friren_app_web";
GRANT INSERT ("id", "digest", "producer", "account_id", "archived_at", "archive_month", "signals_count", "signals_data") ON "trading_engine_signalarchive" TO "friren_app_web";
GRANT INSERT ("id", "digest", "producer", "account_id", "order_id", "instrument_type", "symbol_id", "market_id", "pair_id", "action", "quantity", "price", "amount", "executed_at", "received_at", "commission", "commission_currency", "venue", "external_id", "liquidity", "expected_price", "stop_loss_price", "target_price", "leverage", "exit_reason", "tags", "extra", "round_trip", "corrects_id", "source_pnl", "strategy_used", "model_id", "regime_at_entry", "sentiment_score", "confidence_score", "reasoning", "shap_values", "market_question", "event_id", "event_title", "event_ends_at", "status") ON "trading_engine_trade" TO "friren_app_web";
GRANT UPDATE ("status", "venue", "external_id") ON "trading_engine_trade" TO "friren_app_web";
GRANT INSERT ("id", "digest", "producer", "account_id", "occurred_at", "reason", "changed_by_id", "payload", "trade_id", "from_status", "to_status") ON "trading_engine_tradestatusevent" TO "friren_app_web";
GRANT SELECT ON "auth_group", "auth_group_permissions", "auth_permission", "core_account", "core_auditlog", "core_systemmetadata", "core_user", "core_user_groups" TO "friren_app_web";
GRANT SELECT ON "core_user_user_permissions", "django_admin_log", "django_content_type", "django_migrations", "django_session", "jobs_scheduledrun", "operations_archiverun", "operations_auditblock" TO "friren_app_web";
GRANT SELECT ON "operations_backuprecord", "operations_metricsample", "persistence_deadletter", "persistence_journalcursor", "persistence_lossrecord", "portfolio_manager_accountsnapshot", "portfolio_manager_accountstate", "portfolio_manager_cashmovement" TO "friren_app_web";
GRANT SELECT ON "portfolio_manager_corporateaction", "portfolio_manager_decisionhistory", "portfolio_manager_ideaoutcome", "portfolio_manager_ledgerentry", "portfolio_manager_marketresolution", "portfolio_manager_periodcheckpoint", "portfolio_manager_portfoliosnapshot", "portfolio_manager_position" TO "friren_app_web";
GRANT SELECT ON "portfolio_manager_positionfill", "portfolio_manager_profitpeak", "portfolio_manager_reconciliationbreak", "portfolio_manager_riskconfig", "portfolio_manager_riskmetrics", "portfolio_manager_strategy", "portfolio_manager_tradeidea", "portfolio_manager_tradingjournal" TO "friren_app_web";
GRANT SELECT ON "trading_engine_backtestpair", "trading_engine_backtestresult", "trading_engine_backtestrun", "trading_engine_calendarsnapshot", "trading_engine_candlesnapshot", "trading_engine_indicatorsnapshot", "trading_engine_marketregime", "trading_engine_modelperformance" TO "friren_app_web";
GRANT SELECT ON "trading_engine_modelprediction", "trading_engine_newssnapshot", "trading_engine_order", "trading_engine_orderstatusevent", "trading_engine_predictionevent", "trading_engine_predictionmarket", "trading_engine_predictionmarketsnapshot", "trading_engine_price" TO "friren_app_web";
GRANT SELECT ON "trading_engine_pricerevision", "trading_engine_regimehistory", "trading_engine_sentimentdata", "trading_engine_signal", "trading_engine_signalarchive", "trading_engine_symbol", "trading_engine_trade", "trading_engine_tradesentiment" TO "friren_app_web";
GRANT SELECT ON "trading_engine_tradestatusevent", "trading_engine_tradingpair" TO "friren_app_web";
GRANT INSERT ON "auth_group", "auth_group_permissions", "core_account", "core_systemmetadata", "core_user", "core_user_groups", "core_user_user_permissions", "django_admin_log" TO "friren_app_web";
GRANT INSERT ON "django_session", "persistence_deadletter", "persistence_journalcursor", "persistence_lossrecord", "portfolio_manager_accountstate", "portfolio_manager_ledgerentry", "portfolio_manager_portfoliosnapshot", "portfolio_manager_position" TO "friren_app_web";
GRANT INSERT ON "portfolio_manager_positionfill", "portfolio_manager_profitpeak", "portfolio_manager_riskconfig", "portfolio_manager_riskmetrics", "portfolio_manager_strategy", "portfolio_manager_tradingjournal", "trading_engine_backtestpair", "trading_engine_backtestresult" TO "friren_app_web";
GRANT INSERT ON "trading_engine_backtestrun", "trading_engine_marketregime", "trading_engine_predictionevent", "trading_engine_predictionmarket", "trading_engine_symbol", "trading_engine_tradesentiment", "trading_engine_tradingpair" TO "friren_app_web";
GRANT UPDATE ON "auth_group", "core_account", "core_systemmetadata", "core_user", "django_session", "persistence_deadletter", "persistence_journalcursor", "portfolio_manager_accountstate" TO "friren_app_web";
GRANT UPDATE ON "portfolio_manager_ledgerentry", "portfolio_manager_portfoliosnapshot", "portfolio_manager_position", "portfolio_manager_positionfill", "portfolio_manager_profitpeak", "portfolio_manager_riskconfig", "portfolio_manager_riskmetrics", "portfolio_manager_strategy" TO "friren_app_web";
GRANT UPDATE ON "portfolio_manager_tradingjournal", "trading_engine_backtestpair", "trading_engine_backtestresult", "trading_engine_backtestrun", "trading_engine_marketregime", "trading_engine_predictionevent", "trading_engine_predictionmarket", "trading_engine_symbol" TO "friren_app_web";
GRANT UPDATE ON "trading_engine_tradingpair" TO "friren_app_web";
GRANT DELETE ON "auth_group", "auth_group_permissions", "core_systemmetadata", "core_user_groups", "core_user_user_permissions", "django_session", "persistence_deadletter", "persistence_journalcursor" TO "friren_app_web";
GRANT DELETE ON "portfolio_manager_accountstate", "portfolio_manager_ledgerentry", "portfolio_manager_portfoliosnapshot", "portfolio_manager_position", "portfolio_manager_positionfill", "portfolio_manager_profitpeak", "portfolio_manager_riskconfig", "portfolio_manager_riskmetrics" TO "friren_app_web";
GRANT DELETE ON "portfolio_manager_strategy", "portfolio_manager_tradingjournal", "trading_engine_backtestpair", "trading_engine_backtestresult", "trading_engine_backtestrun", "trading_engine_marketregime", "trading_engine_predictionevent", "trading_engine_predictionmarket" TO "friren_app_web";
DO $$
DECLARE
    somebody name := 'friren_app_web';
    keeper regrole := (SELECT relowner FROM pg_class WHERE oid = 'public.core_account'::regclass);
    found record;
BEGIN
    IF NOT has_database_privilege(somebody, current_database(), 'CONNECT') THEN
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), somebody);
    END IF;
    EXECUTE format(
        'ALTER DEFAULT PRIVILEGES FOR ROLE %s IN SCHEMA public GRANT SELECT ON TABLES TO %I', keeper, somebody
    );
    FOR found IN
        SELECT c.oid::regclass AS name FROM pg_class c
        WHERE c.relispartition AND c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
    LOOP
        EXECUTE format('GRANT SELECT ON TABLE %s TO %I', found.name, somebody);
    END LOOP;
    IF to_regnamespace('archive') IS NOT NULL THEN
        EXECUTE format('GRANT USAGE ON SCHEMA archive TO %I', somebody);
        EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA archive TO %I', somebody);
        EXECUTE format(
            'ALTER DEFAULT PRIVILEGES FOR ROLE %s IN SCHEMA archive GRANT SELECT ON TABLES TO %I', keeper, somebody
        );
    END IF;
    IF true THEN
        -- A batch that is refused is looked through in a temporary table.
        IF NOT has_database_privilege(somebody, current_database(), 'TEMPORARY') THEN
            EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO %I', current_database(), somebody);
        END IF;
        -- A function that works with the caller's rights adds none.
        FOR found IN
            SELECT p.oid::regprocedure AS name FROM pg_proc p
            WHERE p.pronamespace = 'public'::regnamespace AND p.prokind = 'f'
                AND (NOT p.prosecdef OR p.oid = ANY (ARRAY['friren_create_month(text, date)']::regprocedure[]))
                AND NOT EXISTS (SELECT FROM pg_depend d
                    WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
        LOOP
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', found.name, somebody);
        END LOOP;
    END IF;
END
$$;

-- friren_app_ro: its rights, and no other.
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM "friren_app_ro";
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM "friren_app_ro";
REVOKE CREATE ON SCHEMA public FROM "friren_app_ro";
GRANT USAGE ON SCHEMA public TO "friren_app_ro";
GRANT SELECT ("last_login", "is_superuser", "username", "first_name", "last_name", "email", "is_staff", "is_active", "date_joined", "id", "uuid", "default_position_size", "risk_tolerance", "notification_preferences", "created_at", "updated_at") ON "core_user" TO "friren_app_ro";
GRANT SELECT ON "core_account", "core_auditlog", "core_systemmetadata", "core_user_groups", "core_user_user_permissions", "django_migrations", "jobs_scheduledrun", "operations_archiverun" TO "friren_app_ro";
GRANT SELECT ON "operations_auditblock", "operations_backuprecord", "operations_metricsample", "persistence_deadletter", "persistence_journalcursor", "persistence_lossrecord", "portfolio_manager_accountsnapshot", "portfolio_manager_accountstate" TO "friren_app_ro";
GRANT SELECT ON "portfolio_manager_cashmovement", "portfolio_manager_corporateaction", "portfolio_manager_decisionhistory", "portfolio_manager_ideaoutcome", "portfolio_manager_ledgerentry", "portfolio_manager_marketresolution", "portfolio_manager_periodcheckpoint", "portfolio_manager_portfoliosnapshot" TO "friren_app_ro";
GRANT SELECT ON "portfolio_manager_position", "portfolio_manager_positionfill", "portfolio_manager_profitpeak", "portfolio_manager_reconciliationbreak", "portfolio_manager_riskconfig", "portfolio_manager_riskmetrics", "portfolio_manager_strategy", "portfolio_manager_tradeidea" TO "friren_app_ro";
GRANT SELECT ON "portfolio_manager_tradingjournal", "trading_engine_backtestpair", "trading_engine_backtestresult", "trading_engine_backtestrun", "trading_engine_calendarsnapshot", "trading_engine_candlesnapshot", "trading_engine_indicatorsnapshot", "trading_engine_marketregime" TO "friren_app_ro";
GRANT SELECT ON "trading_engine_modelperformance", "trading_engine_modelprediction", "trading_engine_newssnapshot", "trading_engine_order", "trading_engine_orderstatusevent", "trading_engine_predictionevent", "trading_engine_predictionmarket", "trading_engine_predictionmarketsnapshot" TO "friren_app_ro";
GRANT SELECT ON "trading_engine_price", "trading_engine_pricerevision", "trading_engine_regimehistory", "trading_engine_sentimentdata", "trading_engine_signal", "trading_engine_signalarchive", "trading_engine_symbol", "trading_engine_trade" TO "friren_app_ro";
GRANT SELECT ON "trading_engine_tradesentiment", "trading_engine_tradestatusevent", "trading_engine_tradingpair" TO "friren_app_ro";
DO $$
DECLARE
    somebody name := 'friren_app_ro';
    keeper regrole := (SELECT relowner FROM pg_class WHERE oid = 'public.core_account'::regclass);
    found record;
BEGIN
    IF NOT has_database_privilege(somebody, current_database(), 'CONNECT') THEN
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), somebody);
    END IF;
    EXECUTE format(
        'ALTER DEFAULT PRIVILEGES FOR ROLE %s IN SCHEMA public GRANT SELECT ON TABLES TO %I', keeper, somebody
    );
    FOR found IN
        SELECT c.oid::regclass AS name FROM pg_class c
        WHERE c.relispartition AND c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
    LOOP
        EXECUTE format('GRANT SELECT ON TABLE %s TO %I', found.name, somebody);
    END LOOP;
    IF to_regnamespace('archive') IS NOT NULL THEN
        EXECUTE format('GRANT USAGE ON SCHEMA archive TO %I', somebody);
        EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA archive TO %I', somebody);
        EXECUTE format(
            'ALTER DEFAULT PRIVILEGES FOR ROLE %s IN SCHEMA archive GRANT SELECT ON TABLES TO %I', keeper, somebody
        );
    END IF;
    IF false THEN
        -- A batch that is refused is looked through in a temporary table.
        IF NOT has_database_privilege(somebody, current_database(), 'TEMPORARY') THEN
            EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO %I', current_database(), somebody);
        END IF;
        -- A function that works with the caller's rights adds none.
        FOR found IN
            SELECT p.oid::regprocedure AS name FROM pg_proc p
            WHERE p.pronamespace = 'public'::regnamespace AND p.prokind = 'f'
                AND (NOT p.prosecdef OR p.oid = ANY (ARRAY['friren_create_month(text, date)']::regprocedure[]))
                AND NOT EXISTS (SELECT FROM pg_depend d
                    WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
        LOOP
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', found.name, somebody);
        END LOOP;
    END IF;
END
$$;

-- friren_backup: its rights, and no other.
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM "friren_backup";
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM "friren_backup";
REVOKE CREATE ON SCHEMA public FROM "friren_backup";
GRANT USAGE ON SCHEMA public TO "friren_backup";
GRANT SELECT ON "operations_backuprecord" TO "friren_backup";
GRANT INSERT ON "operations_backuprecord" TO "friren_backup";
GRANT UPDATE ON "operations_backuprecord" TO "friren_backup";
DO $$
DECLARE
    somebody name := 'friren_backup';
    keeper regrole := (SELECT relowner FROM pg_class WHERE oid = 'public.core_account'::regclass);
    found record;
BEGIN
    IF NOT has_database_privilege(somebody, current_database(), 'CONNECT') THEN
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), somebody);
    END IF;
    EXECUTE format(
        'ALTER DEFAULT PRIVILEGES FOR ROLE %s IN SCHEMA public GRANT SELECT ON TABLES TO %I', keeper, somebody
    );
    FOR found IN
        SELECT c.oid::regclass AS name FROM pg_class c
        WHERE c.relispartition AND c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
    LOOP
        EXECUTE format('GRANT SELECT ON TABLE %s TO %I', found.name, somebody);
    END LOOP;
    IF to_regnamespace('archive') IS NOT NULL THEN
        EXECUTE format('GRANT USAGE ON SCHEMA archive TO %I', somebody);
        EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA archive TO %I', somebody);
        EXECUTE format(
            'ALTER DEFAULT PRIVILEGES FOR ROLE %s IN SCHEMA archive GRANT SELECT ON TABLES TO %I', keeper, somebody
        );
    END IF;
    IF false THEN
        -- A batch that is refused is looked through in a temporary table.
        IF NOT has_database_privilege(somebody, current_database(), 'TEMPORARY') THEN
            EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO %I', current_database(), somebody);
        END IF;
        -- A function that works with the caller's rights adds none.
        FOR found IN
            SELECT p.oid::regprocedure AS name FROM pg_proc p
            WHERE p.pronamespace = 'public'::regnamespace AND p.prokind = 'f'
                AND (NOT p.prosecdef OR p.oid = ANY (ARRAY['friren_create_month(text, date)']::regprocedure[]))
                AND NOT EXISTS (SELECT FROM pg_depend d
                    WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
        LOOP
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', found.name, somebody);
        END LOOP;
    END IF;
END
$$;

-- friren_monitor: its rights, and no other.
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM "friren_monitor";
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM "friren_monitor";
REVOKE CREATE ON SCHEMA public FROM "friren_monitor";
GRANT USAGE ON SCHEMA public TO "friren_monitor";
GRANT SELECT ("last_login", "is_superuser", "username", "first_name", "last_name", "email", "is_staff", "is_active", "date_joined", "id", "uuid", "default_position_size", "risk_tolerance", "notification_preferences", "created_at", "updated_at") ON "core_user" TO "friren_monitor";
GRANT SELECT ON "core_account", "core_auditlog", "core_systemmetadata", "core_user_groups", "core_user_user_permissions", "django_migrations", "jobs_scheduledrun", "operations_archiverun" TO "friren_monitor";
GRANT SELECT ON "operations_auditblock", "operations_backuprecord", "operations_metricsample", "persistence_deadletter", "persistence_journalcursor", "persistence_lossrecord", "portfolio_manager_accountsnapshot", "portfolio_manager_accountstate" TO "friren_monitor";
GRANT SELECT ON "portfolio_manager_cashmovement", "portfolio_manager_corporateaction", "portfolio_manager_decisionhistory", "portfolio_manager_ideaoutcome", "portfolio_manager_ledgerentry", "portfolio_manager_marketresolution", "portfolio_manager_periodcheckpoint", "portfolio_manager_portfoliosnapshot" TO "friren_monitor";
GRANT SELECT ON "portfolio_manager_position", "portfolio_manager_positionfill", "portfolio_manager_profitpeak", "portfolio_manager_reconciliationbreak", "portfolio_manager_riskconfig", "portfolio_manager_riskmetrics", "portfolio_manager_strategy", "portfolio_manager_tradeidea" TO "friren_monitor";
GRANT SELECT ON "portfolio_manager_tradingjournal", "trading_engine_backtestpair", "trading_engine_backtestresult", "trading_engine_backtestrun", "trading_engine_calendarsnapshot", "trading_engine_candlesnapshot", "trading_engine_indicatorsnapshot", "trading_engine_marketregime" TO "friren_monitor";
GRANT SELECT ON "trading_engine_modelperformance", "trading_engine_modelprediction", "trading_engine_newssnapshot", "trading_engine_order", "trading_engine_orderstatusevent", "trading_engine_predictionevent", "trading_engine_predictionmarket", "trading_engine_predictionmarketsnapshot" TO "friren_monitor";
GRANT SELECT ON "trading_engine_price", "trading_engine_pricerevision", "trading_engine_regimehistory", "trading_engine_sentimentdata", "trading_engine_signal", "trading_engine_signalarchive", "trading_engine_symbol", "trading_engine_trade" TO "friren_monitor";
GRANT SELECT ON "trading_engine_tradesentiment", "trading_engine_tradestatusevent", "trading_engine_tradingpair" TO "friren_monitor";
GRANT INSERT ON "operations_metricsample" TO "friren_monitor";
GRANT DELETE ON "operations_metricsample" TO "friren_monitor";
DO $$
DECLARE
    somebody name := 'friren_monitor';
    keeper regrole := (SELECT relowner FROM pg_class WHERE oid = 'public.core_account'::regclass);
    found record;
BEGIN
    IF NOT has_database_privilege(somebody, current_database(), 'CONNECT') THEN
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), somebody);
    END IF;
    EXECUTE format(
        'ALTER DEFAULT PRIVILEGES FOR ROLE %s IN SCHEMA public GRANT SELECT ON TABLES TO %I', keeper, somebody
    );
    FOR found IN
        SELECT c.oid::regclass AS name FROM pg_class c
        WHERE c.relispartition AND c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
    LOOP
        EXECUTE format('GRANT SELECT ON TABLE %s TO %I', found.name, somebody);
    END LOOP;
    IF to_regnamespace('archive') IS NOT NULL THEN
        EXECUTE format('GRANT USAGE ON SCHEMA archive TO %I', somebody);
        EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA archive TO %I', somebody);
        EXECUTE format(
            'ALTER DEFAULT PRIVILEGES FOR ROLE %s IN SCHEMA archive GRANT SELECT ON TABLES TO %I', keeper, somebody
        );
    END IF;
    IF false THEN
        -- A batch that is refused is looked through in a temporary table.
        IF NOT has_database_privilege(somebody, current_database(), 'TEMPORARY') THEN
            EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO %I', current_database(), somebody);
        END IF;
        -- A function that works with the caller's rights adds none.
        FOR found IN
            SELECT p.oid::regprocedure AS name FROM pg_proc p
            WHERE p.pronamespace = 'public'::regnamespace AND p.prokind = 'f'
                AND (NOT p.prosecdef OR p.oid = ANY (ARRAY['friren_create_month(text, date)']::regprocedure[]))
                AND NOT EXISTS (SELECT FROM pg_depend d
                    WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
        LOOP
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', found.name, somebody);
        END LOOP;
    END IF;
END
$$;

COMMIT;

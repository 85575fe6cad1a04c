"""The portfolio floor's Django app."""

from django.apps import AppConfig


class PortfolioManagerConfig(AppConfig):
    name = "portfolio_manager"
    verbose_name = "Portfolio manager"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # What needs the models can be imported only now.
        from friren.operations import health
        from friren.operations.moves import register_moves
        from friren.persistence.policies import KindPolicy, register_policy
        from portfolio_manager import (
            archiving,
            blueprint_import,
            book_snapshots,
            risk_days,
            schedules,
            settings_storage,
            snapshot_rate,
            stored_frames,
            stored_readings,
            transfers,
        )
        from portfolio_manager.booking.health import check_books
        from portfolio_manager.ideas import fills, moves
        from portfolio_manager.market_health import check_markets
        from portfolio_manager.models import AccountSnapshot, DecisionHistory, TradeIdea
        from portfolio_manager.reconciliation import breaks
        from portfolio_manager.reconciliation.health import check_breaks
        from trading_engine.snapshot_series import register_series

        health.register("books", check_books, thorough=True)
        health.register("markets", check_markets, thorough=True)
        health.register("reconciliation", check_breaks, thorough=True)
        for module in (
            risk_days, book_snapshots, moves, fills, schedules, breaks, snapshot_rate, stored_readings,
            blueprint_import, settings_storage,
        ):  # fmt: skip
            module.register()
        register_series(AccountSnapshot)
        register_moves(TradeIdea, DecisionHistory, "trade_idea")
        archiving.register_all()
        transfers.register_all()
        stored_frames.register_all()
        for kind in ("cash_movement", "corporate_action", "market_resolution"):
            register_policy(kind, KindPolicy(synced=True, happened=True))

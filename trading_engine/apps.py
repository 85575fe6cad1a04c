"""The trading floor's Django app."""

from django.apps import AppConfig


class TradingEngineConfig(AppConfig):
    name = "trading_engine"
    verbose_name = "Trading engine"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Models and handlers can be imported only now.
        from friren.operations.moves import register_moves
        from friren.persistence.facts import register_natural_key
        from trading_engine import archiving, handlers, health, schedules
        from trading_engine.models import Order, OrderStatusEvent, Symbol, Trade, TradeStatusEvent, TradingPair
        from trading_engine.pairs.keys import pairs_by_key
        from trading_engine.symbols import symbols_by_key

        register_natural_key(Symbol, symbols_by_key)
        register_natural_key(TradingPair, pairs_by_key)
        handlers.register()
        health.register_all()
        archiving.register_all()
        schedules.register()
        register_moves(Order, OrderStatusEvent, "order")
        register_moves(Trade, TradeStatusEvent, "trade")

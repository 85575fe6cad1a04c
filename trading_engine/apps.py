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
        from trading_engine import archiving, handlers, health, schedules, stored_frames
        from trading_engine.data.transfer.shapes import register_shape
        from trading_engine.models import Order, OrderStatusEvent, Symbol, Trade, TradeStatusEvent, TradingPair
        from trading_engine.pairs.keys import pairs_by_key
        from trading_engine.services.copy_ai_export import write_copy_ai
        from trading_engine.services.friren_imports import import_exports
        from trading_engine.services.prescient_export import write_prescient
        from trading_engine.services.whole_imports import register_importer
        from trading_engine.symbols import symbols_by_key

        register_natural_key(Symbol, symbols_by_key)
        register_natural_key(TradingPair, pairs_by_key)
        register_importer("friren", import_exports)
        register_shape("copy_ai", write_copy_ai)
        register_shape("prescient", write_prescient)
        handlers.register()
        health.register_all()
        archiving.register_all()
        stored_frames.register_all()
        schedules.register()
        register_moves(Order, OrderStatusEvent, "order")
        register_moves(Trade, TradeStatusEvent, "trade")

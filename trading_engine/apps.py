"""The trading floor's Django app."""

from django.apps import AppConfig


class TradingEngineConfig(AppConfig):
    name = "trading_engine"
    verbose_name = "Trading engine"
    default_auto_field = "django.db.models.BigAutoField"

"""The portfolio floor's Django app."""

from django.apps import AppConfig


class PortfolioManagerConfig(AppConfig):
    name = "portfolio_manager"
    verbose_name = "Portfolio manager"
    default_auto_field = "django.db.models.BigAutoField"

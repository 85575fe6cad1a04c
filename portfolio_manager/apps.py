"""The portfolio floor's Django app."""

from django.apps import AppConfig


class PortfolioManagerConfig(AppConfig):
    name = "portfolio_manager"
    verbose_name = "Portfolio manager"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # What needs the models can be imported only now.
        from friren.operations import health
        from friren.operations.archive import register_kept
        from friren.persistence.policies import KindPolicy, register_policy
        from portfolio_manager import risk_days
        from portfolio_manager.booking.health import check_books

        health.register("books", check_books, thorough=True)
        risk_days.register()
        for model in self.get_models():
            register_kept(model, "the books stay whole, closed periods too")
        for kind in ("cash_movement", "corporate_action", "market_resolution"):
            register_policy(kind, KindPolicy(synced=True, happened=True))

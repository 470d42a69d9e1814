from django.apps import AppConfig


class OrdersConfig(AppConfig):
    name = "acme_shop.orders"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import live  # noqa: F401  Connects the receiver that tells open pages.

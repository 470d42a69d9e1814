from django.apps import AppConfig


class OrdersConfig(AppConfig):
    name = "acme_shop.orders"
    default_auto_field = "django.db.models.BigAutoField"

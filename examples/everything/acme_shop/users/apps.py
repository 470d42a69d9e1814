from django.apps import AppConfig


class UsersConfig(AppConfig):
    name = "acme_shop.users"
    default_auto_field = "django.db.models.BigAutoField"

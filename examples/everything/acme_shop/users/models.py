"""The user model: Django's own until you add a field and run makemigrations."""

from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    pass

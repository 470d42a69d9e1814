"""Factories of the users app."""

from factory.declarations import LazyAttribute, Sequence
from factory.django import DjangoModelFactory, Password

from acme_shop.users.models import User


class UserFactory(DjangoModelFactory[User]):
    """A user who can log in with the password "password"."""

    class Meta:
        model = User

    username = Sequence("user{}".format)
    email = LazyAttribute(lambda user: f"{user.username}@example.com")
    password = Password("password")

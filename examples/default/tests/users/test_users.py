"""The user model, its factory and its admin."""

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from acme_shop.users.models import User

from .factories import UserFactory

pytestmark = pytest.mark.django_db


def test_the_user_model_is_the_projects():
    assert get_user_model() is User


def test_a_user_logs_in(client: Client):
    user = UserFactory.create()

    assert client.login(username=user.username, password="password")


def test_users_are_in_the_admin(client: Client):
    client.force_login(UserFactory.create(is_staff=True, is_superuser=True))
    user = UserFactory.create()

    assert user.username in client.get(reverse("admin:users_user_changelist")).text
    assert client.get(reverse("admin:users_user_change", args=[user.pk])).status_code == 200

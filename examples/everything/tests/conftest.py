"""Yours: the project's own fixtures. The template's come from acme_shop/testing (see TESTING.md).

`copier update` never touches this file.
"""

from types import SimpleNamespace

from django.contrib.auth import get_user_model

from acme_shop.testing import seed


@seed
def sample_users() -> SimpleNamespace:
    """Users for the modules whose tests ask for them: `staff` and `customer`."""
    create_user = get_user_model().objects.create_user
    return SimpleNamespace(
        staff=create_user("staff", is_staff=True), customer=create_user("customer")
    )

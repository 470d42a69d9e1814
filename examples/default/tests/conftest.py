"""Yours: the project's own fixtures. The template's come from acme_shop/testing (see TESTING.md).

`copier update` never touches this file.
"""

from types import SimpleNamespace

from acme_shop.testing import seed

from .users.factories import UserFactory


@seed
def sample_users() -> SimpleNamespace:
    """Users for the modules whose tests request them: `staff` and `customer`."""
    return SimpleNamespace(
        staff=UserFactory.create(is_staff=True), customer=UserFactory.create(username="customer")
    )

import pytest
from django.contrib.auth.models import Group

from hermetic import seed


@seed
async def group():
    return await Group.objects.acreate(name="seeded")


@pytest.mark.parametrize("twin", [1, 2])
@pytest.mark.django_db
def test_sync(twin, group):
    assert Group.objects.get() == group
    group.delete()

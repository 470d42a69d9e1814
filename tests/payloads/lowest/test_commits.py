"""Each way to commit, twice: the second one finds what the first one found."""

import asyncio
import urllib.request

import pytest
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.test import LiveServerTestCase, TransactionTestCase

twice = pytest.mark.parametrize("twin", [1, 2])
commits = pytest.mark.django_db(transaction=True)


def write():
    assert ContentType.objects.filter(model="group").delete()[0] > 1  # Rows of the migrations.
    assert not Group.objects.exists()
    assert Group.objects.create(name="a").pk == 1


@twice
@commits
def test_sync(twin):
    write()


@twice
@commits
async def test_async(twin):
    await asyncio.to_thread(write)
    await Group.objects.acreate(name="b")


@twice
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_serialized_rollback(twin):
    write()


@twice
@pytest.mark.django_db(reset_sequences=True)
def test_reset_sequences(twin):
    write()


@twice
def test_live_server(twin, live_server):
    assert urllib.request.urlopen(f"{live_server.url}/group/").read() == b"1"


@twice
@pytest.mark.django_db
async def test_rolls_back(twin):
    assert not await Group.objects.aexists()
    await Group.objects.acreate(name="a")


class TestCommitting(TransactionTestCase):
    reset_sequences = serialized_rollback = True

    def test_one(self):
        write()

    def test_two(self):
        write()

    async def test_async(self):
        await Group.objects.acreate(name="a")


class TestLive(LiveServerTestCase):
    def test_one(self):
        assert urllib.request.urlopen(f"{self.live_server_url}/group/").read() == b"1"

"""What fixtures of a module or class commit is theirs: its schema stays as long as they do."""

import pytest
from django.db import connection, connections, models
from django.test import TransactionTestCase

from .models import Box, Shelf
from .test_commits import commits, postgresql

FUNCTION = "CREATE FUNCTION odd.one() RETURNS integer LANGUAGE SQL AS 'SELECT 1'"


class Made(models.Model):
    name = models.CharField(max_length=9)
    shelf = models.ForeignKey(Shelf, models.CASCADE)

    class Meta:
        app_label = "made"  # No installed one, or Django would serialize its rows.


def run(statement, alias="default"):
    with connections[alias].cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def make():
    with connection.schema_editor() as editor:
        editor.create_model(Made)
    run("ALTER TABLE restore_box ADD COLUMN made integer DEFAULT 7")
    if connection.vendor == "postgresql":
        run(FUNCTION)
    Made.objects.create(name="kept", shelf_id=1)
    Box.objects.create(shelf_id=2, content="of the fixture")


def remove():
    Box.objects.filter(content="of the fixture").delete()
    if connection.vendor == "postgresql":
        assert run("SELECT odd.one()") == [(1,)]
        run("DROP FUNCTION odd.one()")
    run("ALTER TABLE restore_box DROP COLUMN made")
    with connection.schema_editor() as editor:
        editor.delete_model(Made)


def write():
    """As often as the fixture's schema is there, without what another test did to it."""
    assert [one.name for one in Made.objects.all()] == ["kept"]
    assert [shelf.name for shelf in Shelf.objects.order_by("pk")] == ["upper", "lower"]
    if connection.vendor == "postgresql":
        assert run("SELECT odd.one()") == [(1,)]
        run("CREATE OR REPLACE FUNCTION odd.one() RETURNS integer LANGUAGE SQL AS 'SELECT 2'")
    Made.objects.create(name="own", shelf=Shelf.objects.create(name="own"))
    Box.objects.create(shelf_id=1, content="own")
    assert run("SELECT made FROM restore_box WHERE content = 'own'") == [(7,)]
    run("CREATE TABLE own (a integer)")


@pytest.fixture(scope="module", autouse=True)
def at_first():
    """In place of conftest.py's, which asks for no change at all."""


@pytest.fixture(scope="class")
def made(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        make()
        yield
        remove()


class TestFixture:
    @commits
    @pytest.mark.parametrize("twin", [1, 2, 3])
    def test_schema(self, twin, made):
        assert not Box.objects.exclude(content="of the fixture").exists()
        write()


class TestCommitting(TransactionTestCase):
    databases = ("default", "other")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        make()

    @classmethod
    def tearDownClass(cls):
        remove()
        super().tearDownClass()

    def test_one(self):
        write()

    def test_two(self):
        write()


class TestAfterwards:
    @commits
    @pytest.mark.parametrize("twin", [1, 2])
    def test_nothing_is_left(self, twin):
        assert not {"made_made", "own"} & {*connection.introspection.table_names()}
        assert not Box.objects.exists()
        assert Box.objects.create(shelf_id=1).pk == 1


@pytest.fixture(scope="class")
def temporary(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        run("CREATE TEMP TABLE temporary_of_a_fixture (a serial)", "other")


@postgresql
class TestSession:
    @commits
    @pytest.mark.parametrize("twin", [1, 2])
    @pytest.mark.parametrize(
        ("setting", "alias", "value"),
        [("app.tenant", "default", "acme"), ("app.tenant", "other", "acme"), ("app.engine", "other", "own")],
    )
    def test_what_a_new_session_has(self, twin, setting, alias, value):
        if setting == "app.engine" and connections[alias].settings_dict["ENGINE"] != "restore.engine":
            pytest.skip("the project's private server has an engine of its own")
        assert run(f"SELECT current_setting('{setting}')", alias) == [(value,)]
        run(f"SET {setting} = 'changed'", alias)

    @commits
    def test_a_temporary_table_of_a_fixture_is_left_alone(self, temporary):
        assert run("SELECT * FROM temporary_of_a_fixture", "other") == []

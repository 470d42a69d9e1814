import django.db.models.deletion
from django.db import migrations, models

# What Django does not make: each of these is a way for a flush or a refill to fail.
POSTGRESQL = """
CREATE TABLE odd_parent (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int,
    twice int GENERATED ALWAYS AS (a * 2) STORED);
CREATE TABLE odd_child (id serial PRIMARY KEY, parent bigint REFERENCES odd_parent);  -- Checked at once.
INSERT INTO odd_parent (a) VALUES (1), (2);
INSERT INTO odd_child (parent) SELECT id FROM odd_parent;
CREATE TABLE odd_empty (id serial PRIMARY KEY, parent bigint REFERENCES odd_parent ON DELETE RESTRICT);
CREATE TABLE odd_empty_child (id serial PRIMARY KEY, parent int REFERENCES odd_empty);
CREATE TABLE "Odd name" (id int, "a column" text) PARTITION BY RANGE (id);
CREATE TABLE odd_part PARTITION OF "Odd name" FOR VALUES FROM (0) TO (100);
CREATE TABLE odd_audit (what text);
CREATE FUNCTION odd_audited() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO odd_audit VALUES (TG_OP); RETURN NULL; END';
CREATE TRIGGER odd AFTER INSERT OR DELETE ON odd_part FOR EACH ROW EXECUTE FUNCTION odd_audited();
CREATE SEQUENCE odd_sequence START 7;
CREATE SCHEMA odd;
CREATE TABLE odd.elsewhere (a int);
"""


def fill(apps, schema_editor):
    Shelf = apps.get_model("restore", "Shelf")
    for name in ("upper", "lower"):
        Shelf.objects.using(schema_editor.connection.alias).create(name=name)
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(POSTGRESQL, None)


class Migration(migrations.Migration):
    initial = True
    operations = [  # noqa: RUF012
        migrations.CreateModel(
            "Shelf",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=50)),
            ],
        ),
        migrations.CreateModel(
            "Box",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False)),
                ("content", models.TextField(default="")),
                ("friends", models.ManyToManyField(to="restore.box")),
                (
                    "inside",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.SET_NULL, to="restore.box"
                    ),
                ),
                (
                    "shelf",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="restore.shelf"),
                ),
            ],
        ),
        migrations.RunPython(fill),
    ]

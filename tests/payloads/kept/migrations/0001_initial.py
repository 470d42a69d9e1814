import os
import time
from pathlib import Path

from django.db import migrations, models


def fill(apps, schema_editor):
    if os.environ.get("HANG"):
        Path(os.environ["HANG"]).touch()
        time.sleep(600)
    apps.get_model("kept", "Item").objects.create(name="of a migration")


class Migration(migrations.Migration):
    initial = True
    operations = [  # noqa: RUF012
        migrations.CreateModel(
            "Item",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=50)),
            ],
        ),
        migrations.RunPython(fill),
    ]

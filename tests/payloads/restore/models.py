from django.db import models


class Shelf(models.Model):
    """Rows of a migration."""

    name = models.CharField(max_length=50)


class Box(models.Model):
    shelf = models.ForeignKey(Shelf, models.CASCADE)
    inside = models.ForeignKey("self", models.SET_NULL, null=True)
    friends = models.ManyToManyField("self")
    content = models.TextField(default="")

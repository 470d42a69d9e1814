"""The template's `procrastinate` command; an app listed before this one in settings.py can replace it."""

"""The template's development server; an app listed before this one in settings.py can replace it."""

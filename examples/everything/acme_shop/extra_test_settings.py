"""Yours: settings that only tests have, like a fake gateway; test_settings.py reads them last.

`copier update` never touches this file.
"""

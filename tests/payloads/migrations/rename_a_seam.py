"""A seam gets another name: everybody's edits in extra_test_settings.py move to test_extras.py."""

from steps import rename, run

run(rename("*/extra_test_settings.py", "test_extras.py"))

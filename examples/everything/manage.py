#!/usr/bin/env python
"""Django's command line; in development it reads `.env`, tests and servers never do.

Add your commands in `management/commands/` of an app.
"""

import os
import sys
from pathlib import Path

import environ
from django.core.management import execute_from_command_line

if __name__ == "__main__":
    if sys.argv[1:2] != ["test"]:
        environ.Env.read_env(Path(__file__).resolve().parent / ".env")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "acme_shop.settings")
    execute_from_command_line(sys.argv)

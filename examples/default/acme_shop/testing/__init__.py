"""The testing layer: async tests roll back, rows are made once a module, a test that leaks fails.

TESTING.md is its manual. Add fixtures in tests/conftest.py, which is yours; an update replaces the
files here. ``plugin`` is the pytest plugin; these names are for tests:

``seed``       makes a fixture of a function that creates rows for a module
``run_async``  waits for async code in a sync test
``acreate``    creates an object with a factory in async code
"""

from . import versions  # noqa: F401, first, since it refuses what is too old.
from .clients import acreate, run_async
from .database.seeds import seed

__all__ = ["acreate", "run_async", "seed"]
